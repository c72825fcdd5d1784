import shutil
from pathlib import Path

import pytest

from export.families.sculptor.untrained import write_untrained


@pytest.fixture(scope="session")
def data() -> Path:
    """Reference arrays: what the original TFLite files compute, with dropout removed."""
    return Path(__file__).resolve().parent.parent / "data"


@pytest.fixture(scope="session")
def small_sculptor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints of a small designed voice with random weights; not to be changed."""
    folder = tmp_path_factory.mktemp("small_sculptor") / "checkpoint"
    write_untrained(folder, seed=1, size="small")
    return folder


@pytest.fixture
def spoilable(small_sculptor: Path, tmp_path: Path) -> Path:
    """A copy of them to spoil."""
    return shutil.copytree(small_sculptor, tmp_path / "checkpoint")
