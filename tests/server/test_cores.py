"""A server in a container has as many threads as the container may use, and not as the machine has cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server import ServerOptions
from server.cores import cores
from server.find import Installation
from server.options import command_line
from server.ports import Ports
from server.security import Access


@pytest.fixture
def many(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))


def limited(folder: Path, own: str, **limits: str) -> int:
    """The cores of a process in the group `own`, where the groups have these limits."""
    (folder / "own").write_text(f"{own}\n")
    for name, limit in limits.items():
        group = folder / "groups" / name.replace("_", "/").strip("/")
        group.mkdir(parents=True, exist_ok=True)
        (group / "cpu.max").write_text(f"{limit}\n")
    return cores(folder / "own", folder / "groups")


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", 64), ("400000 100000", 4), ("150000 100000", 2), ("10000 100000", 1), ("nonsense", 64)],
)
def test_a_containers_limit_counts_and_a_started_core_is_one(many, tmp_path, limit, expected):
    assert limited(tmp_path, "0::/", _=limit) == expected


def test_the_tightest_of_the_groups_counts(many, tmp_path):
    assert limited(tmp_path, "0::/pod/server", pod="300000 100000", pod_server="800000 100000") == 3


def test_a_system_without_such_groups_has_its_cores(many, tmp_path):
    assert cores(tmp_path / "none", tmp_path) == 64
    assert limited(tmp_path, "4:cpu:/docker/1") == 64


def test_the_stages_of_a_whole_triton_share_one_pool_of_threads_of_that_size(many, tmp_path):
    whole = Installation(tmp_path / "bin" / "tritonserver")
    command = command_line(ServerOptions(tmp_path), whole, None, Ports(1, 2, 3), None, "me", Access())
    options = {word.removeprefix("--backend-config=onnxruntime,") for word in command if "onnxruntime" in word}
    assert options == {"enable-global-threadpool=1", f"intra_op_thread_count={cores()}"}
