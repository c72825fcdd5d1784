"""What the front door knows of its repository's folder."""

from __future__ import annotations

import os

import pytest
from installed import hold, installed_voices

from export.change import changing
from export.errors import ExportError


def test_a_held_repository_is_not_exported_into(tmp_path):
    handles = [hold(tmp_path), hold(tmp_path)]
    os.close(handles.pop())
    with pytest.raises(ExportError, match="being served"), changing(tmp_path):
        pytest.fail("it was let in")
    os.close(handles.pop())
    with changing(tmp_path), pytest.raises(BlockingIOError):
        hold(tmp_path)


def test_voices_are_found_by_their_files_and_broken_ones_passed_over(tmp_path):
    for name, content in (("a", '{"stages": ["encoder"]}'), ("b", "{"), ("c", "[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "voice.json").write_text(content)
    assert installed_voices(tmp_path) == {"a": ("encoder",)}
