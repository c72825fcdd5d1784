"""Memory is what this process may still take: of the host, its control groups and the cards, the tightest."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pynvml
import pytest
from readings import Memory, Sampler

GB = 10**9


class Cards:
    """NVML with these cards: (total, free) in GB, or None for one that does not report its memory."""

    class NVMLError(Exception):
        pass

    def __init__(self, *cards):
        self.cards = cards

    def nvmlInit(self):
        if not self.cards:
            raise self.NVMLError("no driver")

    def nvmlDeviceGetCount(self):
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetUUID(self, card):
        return f"GPU-{card}abc"

    def nvmlDeviceGetMemoryInfo(self, card):
        if self.cards[card] is None:
            raise self.NVMLError("not supported")
        total, free = self.cards[card]
        return SimpleNamespace(total=total * GB, free=free * GB)


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    """A host of 64 GB with 48 GB available."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=64 * GB, available=48 * GB))


@pytest.fixture
def groups(tmp_path):
    """Makes control groups: `groups(process lines, {folder: {file: content}})` gives what `Sampler` takes."""

    def make(process, files):
        (tmp_path / "cgroup").write_text("\n".join(process) + "\n")
        root = tmp_path / "fs"
        for folder, contents in files.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            for name, content in contents.items():
                (root / folder / name).write_text(f"{content}\n")
        return {"process": tmp_path / "cgroup", "groups": root}

    return make


def v2(limit, usage, inactive=0):
    stat = f"anon 5\nfile 7\ninactive_file {inactive * GB}\nactive_file 3"
    return {"memory.max": limit if limit == "max" else limit * GB, "memory.current": usage * GB, "memory.stat": stat}


def v1(limit, usage, inactive=0):
    return {
        "memory.limit_in_bytes": limit * GB,
        "memory.usage_in_bytes": usage * GB,
        "memory.stat": f"inactive_file 1\ntotal_inactive_file {inactive * GB}",
    }


def test_without_limits_and_cards_it_is_the_hosts(tmp_path):
    sampler = Sampler(Cards(), {}, tmp_path / "none", tmp_path)
    assert sampler.read() == Memory(48 * GB, 0.25, None, None)


def test_this_machine_can_be_read_without_a_driver():
    memory = Sampler().read()
    assert memory.host_free > 0
    assert 0 <= memory.host_used <= 1


def test_a_limit_of_version_2_counts_and_page_cache_is_free(groups):
    paths = groups(["0::/app"], {"app": v2(8, 7, inactive=3)})
    memory = Sampler(Cards(), {}, **paths).read()
    assert memory.host_free == 4 * GB
    assert memory.host_used == pytest.approx(0.5)


def test_a_limit_of_version_1_counts_and_page_cache_is_free(groups):
    paths = groups(["9:name=systemd:/x", "4:cpu,memory:/app", "0::/"], {"memory/app": v1(8, 7, inactive=3)})
    assert Sampler(Cards(), {}, **paths).read().host_free == 4 * GB


def test_of_nested_limits_the_one_with_the_least_left_counts(groups):
    paths = groups(["0::/slice/app"], {"slice/app": v2(16, 2), "slice": v2(20, 17), ".": v2("max", 40)})
    assert Sampler(Cards(), {}, **paths).read().host_free == 3 * GB


def test_in_a_container_that_sees_only_its_own_group_that_one_counts(groups):
    paths = groups(["0::/docker/abcdef"], {".": v2(8, 2)})
    assert Sampler(Cards(), {}, **paths).read().host_free == 6 * GB


def test_a_limit_above_the_hosts_memory_is_none(groups):
    huge = {"memory.limit_in_bytes": 9223372036854771712, "memory.usage_in_bytes": 5, "memory.stat": ""}
    paths = groups(["4:memory:/"], {"memory": huge})
    assert Sampler(Cards(), {}, **paths).read().host_free == 48 * GB


def test_a_host_that_is_fuller_than_its_limit_counts_itself(groups):
    paths = groups(["0::/app"], {"app": v2(60, 1)})
    assert Sampler(Cards(), {}, **paths).read().host_free == 48 * GB


def test_a_group_over_its_limit_has_nothing_free(groups):
    memory = Sampler(Cards(), {}, **groups(["0::/app"], {"app": v2(8, 9)})).read()
    assert (memory.host_free, memory.host_used) == (0, 1.0)


@pytest.mark.parametrize("files", [{"memory.max": "max"}, {"memory.max": 8 * GB}, v2(8, 1) | {"memory.stat": "odd"}])
def test_a_group_that_cannot_be_read_limits_nothing(groups, files):
    assert Sampler(Cards(), {}, **groups(["0::/app"], {"app": files})).read().host_free == 48 * GB


def test_limits_are_read_each_time(groups):
    paths = groups(["0::/app"], {"app": v2(8, 2)})
    sampler = Sampler(Cards(), {}, **paths)
    assert sampler.read().host_free == 6 * GB
    groups(["0::/app"], {"app": v2(8, 5)})
    assert sampler.read().host_free == 3 * GB


@pytest.mark.parametrize(
    ("process", "files"),
    [
        (
            "0::/app",
            {"app": v2("max", 7) | {"memory.events": "oom 9\noom_kill 3"}, ".": {"memory.events": "oom_kill 8"}},
        ),
        ("4:memory:/app", {"memory/app": v1(8, 7) | {"memory.oom_control": "under_oom 0\noom_kill 3"}}),
    ],
)
def test_the_processes_that_the_kernel_ended_in_this_group_are_counted(groups, process, files):
    assert Sampler(Cards(), {}, **groups([process], files)).read().killed == 3


def test_where_nobody_counts_them_none_was_ended(groups, tmp_path):
    assert Sampler(Cards(), {}, **groups(["0::/app"], {"app": v2(8, 7)})).read().killed == 0
    assert Sampler(Cards(), {}, tmp_path / "none", tmp_path).read().killed == 0


def gpu(cards, environment, tmp_path):
    memory = Sampler(cards, environment, tmp_path / "none", tmp_path).read()
    return memory.gpu_free, memory.gpu_used


@pytest.mark.parametrize(
    ("cards", "environment", "expected"),
    [
        (Cards((24, 6)), {}, (6 * GB, 0.75)),
        (Cards((24, 20), (80, 8)), {}, (8 * GB, 0.9)),
        (Cards((24, 20), (80, 8)), {"CUDA_VISIBLE_DEVICES": "0"}, (20 * GB, pytest.approx(1 / 6))),
        (Cards((24, 20), (80, 8)), {"CUDA_VISIBLE_DEVICES": "GPU-1a"}, (8 * GB, 0.9)),
        (Cards((24, 20), (80, 8)), {"CUDA_VISIBLE_DEVICES": ""}, (None, None)),
        (Cards((24, 20), (80, 8)), {"CUDA_VISIBLE_DEVICES": "-1"}, (None, None)),
        (Cards(None), {}, (None, None)),
        (Cards(None, (24, 12)), {}, (12 * GB, 0.5)),
    ],
)
def test_of_the_cards_that_this_process_sees_the_fullest_counts(cards, environment, expected, tmp_path):
    assert gpu(cards, environment, tmp_path) == expected


def test_the_functions_that_are_asked_for_exist_in_the_library():
    for name in dir(Cards):
        if name.startswith("nvml") or name == "NVMLError":
            assert hasattr(pynvml, name)
