"""One front end for all tests: loading takes a second or two."""

from pathlib import Path

import pytest
from mandarin import Frontend
from speaking import Speaking


@pytest.fixture(scope="session")
def frontend() -> Frontend:
    return Frontend()


@pytest.fixture(scope="session")
def speaking(repository: Path) -> Speaking:
    """All that the model does, with the demo voice."""
    return Speaking(repository)
