"""A repository outside the checkout gets the models that all voices share, and gets those of a new version later."""

from __future__ import annotations

import filecmp
import subprocess
import sys
from pathlib import Path

import pytest

from export.errors import ExportError
from export.shared_command import SOURCE, put_shared
from export.shared_models import SHARED


@pytest.fixture
def filled(tmp_path) -> Path:
    put_shared(tmp_path / "models")
    return tmp_path / "models"


def test_the_command_copies_the_models_and_nothing_of_a_voice(tmp_path):
    repository = tmp_path / "models"
    command = [sys.executable, "-m", "export", "shared", "--repository", str(repository)]
    result = subprocess.run(command, cwd=SOURCE.parent, capture_output=True, text=True, check=True)
    assert result.stdout.startswith(f"the shared models of this version are in {repository}")
    assert {path.name for path in repository.iterdir()} == {model.name for model in SHARED}
    for model in SHARED:
        for path in (repository / model.name).rglob("*.p*"):
            assert filecmp.cmp(path, SOURCE / path.relative_to(repository), shallow=False)
    assert not list(repository.rglob("__pycache__"))


def test_what_a_new_version_does_not_have_goes_and_what_is_the_owners_stays(filled):
    version = filled / "text_frontend" / "1"
    (version / "older.py").write_text("")
    (version / "model.py").write_text("")
    (version / "dictionary.json").write_text("{}")
    (filled / "lily" / "1").mkdir(parents=True)
    (filled / "lily" / "voice.json").write_text("{}")
    put_shared(filled)
    assert not (version / "older.py").exists()
    assert (version / "model.py").read_text() == (SOURCE / "text_frontend" / "1" / "model.py").read_text()
    assert (version / "dictionary.json").exists()
    assert (filled / "lily" / "voice.json").exists()


def test_a_repository_with_plans_keeps_a_config_for_them_in_every_model(filled):
    for model in SHARED:
        config = filled / model.name / "configs" / "h100_tensorrt.pbtxt"
        config.parent.mkdir(exist_ok=True)
        config.write_text("older")
    put_shared(filled)
    for model in SHARED:
        folder = filled / model.name
        plain = folder / "configs" / "h100.pbtxt"
        expected = plain if plain.is_file() else folder / "config.pbtxt"
        assert (folder / "configs" / "h100_tensorrt.pbtxt").read_text() == expected.read_text()


def test_the_checkouts_own_repository_is_not_copied_onto_itself():
    with pytest.raises(ExportError, match="name another folder with --repository"):
        put_shared(SOURCE)
