from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """Reference arrays: what the original TFLite files compute, with dropout removed."""
    return Path(__file__).resolve().parent.parent / "data"
