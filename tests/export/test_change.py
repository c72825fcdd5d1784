"""A repository is changed as a whole or not at all, and never while it is served."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from export.change import changing
from export.errors import ExportError


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_change_is_seen_when_it_is_whole(tmp_path):
    with changing(tmp_path) as change:
        change.write_text(Path("voice", "config.pbtxt"), "config")
        change.write_text(Path("voice", "voice.json"), "{}")
        assert not (tmp_path / "voice").exists()
    assert files(tmp_path) == {"voice/config.pbtxt": "config", "voice/voice.json": "{}"}


def test_a_change_that_fails_leaves_everything_as_it_was(tmp_path):
    with changing(tmp_path) as change:
        change.write_text(Path("voice", "voice.json"), "old")

    def fail():
        with changing(tmp_path) as change:
            change.write_text(Path("voice", "voice.json"), "new")
            change.remove(Path("voice"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert files(tmp_path) == {"voice/voice.json": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["voice"]


def test_an_equal_file_keeps_its_time(tmp_path):
    for _ in range(2):
        with changing(tmp_path) as change:
            change.write_text(Path("voice", "voice.json"), "same")
        os.utime(tmp_path / "voice" / "voice.json", (1, 1))
    assert (tmp_path / "voice" / "voice.json").stat().st_mtime == 1


def test_files_and_models_are_taken_away_with_the_rest(tmp_path):
    with changing(tmp_path) as change:
        change.write_text(Path("a", "config.pbtxt"), "")
        change.write_text(Path("b", "1", "model.onnx"), "")
    with changing(tmp_path) as change:
        change.remove(Path("a", "config.pbtxt"))
        change.remove(Path("b"))
        change.remove(Path("c"))
    assert files(tmp_path) == {}


def test_what_a_killed_export_left_is_cleared_away(tmp_path):
    (tmp_path / ".export-left" / "voice").mkdir(parents=True)
    with changing(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lock", [fcntl.LOCK_SH, fcntl.LOCK_EX], ids=["served", "being changed"])
def test_a_repository_in_use_is_not_changed(tmp_path, lock):
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, lock)
        with pytest.raises(ExportError, match="is being served, or exported into"), changing(tmp_path):
            pytest.fail("it was let in")
    finally:
        os.close(handle)
    with changing(tmp_path):
        pass
