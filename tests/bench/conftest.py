"""Fixtures of the benchmarks' tests."""

from __future__ import annotations

import shutil

import pytest
from service.own_server import Copy

from bench.sculptor.voices import Made
from export.bundle import Choice
from export.families import sculptor as family


@pytest.fixture(scope="session")
def designed(repository, sculptor, tmp_path_factory):
    """The small designed voice, and a repository with it that can be served."""
    copy = Copy(repository, tmp_path_factory.mktemp("designed") / "repository")
    for model in sculptor.repository.glob("lily*"):
        shutil.copytree(model, copy.folder / model.name)
    return Made("small", family.bundle(sculptor.checkpoint, "lily", Choice()), copy.folder, 0.0)
