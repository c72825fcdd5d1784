"""One front end for all tests: loading takes a second or two."""

import pytest
from mandarin import Frontend


@pytest.fixture(scope="session")
def frontend() -> Frontend:
    return Frontend()
