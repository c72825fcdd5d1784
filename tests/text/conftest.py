"""One front end for all tests: loading takes a second or two."""

from pathlib import Path

import pytest
from mandarin import Frontend
from speaking import Speaking
from text_helpers import shelve, voice_json


@pytest.fixture(scope="session")
def frontend() -> Frontend:
    return Frontend()


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a voice like the demo voice."""
    return shelve(tmp_path_factory.mktemp("voices"), voice_json("demo"))


@pytest.fixture(scope="session")
def speaking(voices: Path) -> Speaking:
    """All that the model does, with that voice."""
    return Speaking(voices)
