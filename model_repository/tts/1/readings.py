"""Free and used memory of the host and of the GPUs, as what this process may still take.

In a container the host's free memory says little: the control group's limit is what the kernel kills by. Of the host
and every limit above this process, the tightest counts. Page cache that the kernel can drop counts as free.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import psutil
import pynvml


@dataclass(frozen=True)
class Memory:
    """Free memory in bytes and the used share (0…1); the GPU's are those of the fullest card, None without one.

    `killed` is how many processes of this control group the kernel has ended for want of memory.
    """

    host_free: int
    host_used: float
    gpu_free: int | None
    gpu_used: float | None
    killed: int = 0


@dataclass(frozen=True, order=True)
class Room:
    """One memory's free and total bytes; ordered by what is free."""

    free: int
    total: int

    @property
    def used(self) -> float:
        """The used share, 0…1."""
        return 1 - self.free / self.total if self.total else 1.0


class Sampler:
    """Reads the memory; what it may look at is found once, when it is made.

    `nvml` is initialised here; without a driver there are no GPUs, and that is no error. Of `environment`,
    CUDA_VISIBLE_DEVICES is read.
    """

    def __init__(
        self,
        nvml: ModuleType = pynvml,
        environment: Mapping[str, str] = os.environ,
        process: Path = Path("/proc/self/cgroup"),
        groups: Path = Path("/sys/fs/cgroup"),
    ) -> None:
        self._groups = list(_memory_groups(process, groups))
        self._nvml = nvml
        try:
            nvml.nvmlInit()
            self._cards = list(_visible_cards(nvml, environment.get("CUDA_VISIBLE_DEVICES")))
        except nvml.NVMLError:
            self._cards = []

    def read(self) -> Memory:
        """The memory now."""
        machine = psutil.virtual_memory()
        host = min([Room(machine.available, machine.total), *self._limits(machine.total)])
        card = min(self._rooms(), default=None)
        gpu_free, gpu_used = (card.free, card.used) if card else (None, None)
        # The own group counts what happened in those below it, and those above it count strangers, too.
        killed = self._groups[0].killed() if self._groups else 0
        return Memory(host.free, host.used, gpu_free, gpu_used, killed)

    def _limits(self, total: int) -> Iterator[Room]:
        for group in self._groups:
            room = group.room()
            # Both versions write a huge number or a word for "no limit".
            if room is not None and room.total < total:
                yield room

    def _rooms(self) -> Iterator[Room]:
        for card in self._cards:
            try:
                memory = self._nvml.nvmlDeviceGetMemoryInfo(card)
            except self._nvml.NVMLError:
                # A chip that shares the host's memory has none of its own to report; a card may also fall off the bus.
                continue
            yield Room(memory.free, memory.total)


@dataclass(frozen=True)
class _Group:
    """The files of one control group that describe its memory."""

    limit: Path
    usage: Path
    statistics: Path
    cache_key: str
    events: Path

    def room(self) -> Room | None:
        """What the group may still take; None when it has no limit or has gone."""
        try:
            limit = self.limit.read_text().strip()
            if not limit.isdigit():
                return None
            total, usage = int(limit), int(self.usage.read_text())
            statistics = dict(line.split(maxsplit=1) for line in self.statistics.read_text().splitlines())
            usage -= int(statistics.get(self.cache_key, 0))
        except (OSError, ValueError):
            # No such file, or one that is being torn down: this group limits nothing that could be read.
            return None
        return Room(min(total, max(0, total - usage)), total)

    def killed(self) -> int:
        """Processes that the kernel ended for want of memory."""
        try:
            events = dict(line.split(maxsplit=1) for line in self.events.read_text().splitlines())
            return int(events.get("oom_kill", 0))
        except (OSError, ValueError):
            return 0


def _memory_groups(process: Path, root: Path) -> Iterator[_Group]:
    """The memory groups that this process is in, from its own up to the root of what is mounted."""
    try:
        lines = process.read_text().splitlines()
    except OSError:
        # Not a Linux with control groups.
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            names, mounted = ("memory.max", "memory.current", "inactive_file", "memory.events"), root
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "memory.oom_control")
            mounted = root / "memory"
        else:
            continue
        # In a container the path is often the host's, of which only the last group is mounted, as the root.
        own = mounted / path.strip("/")
        for folder in (own, *own.parents):
            if (folder / names[0]).is_file():
                limit, usage, statistics, events = (folder / name for name in (*names[:2], "memory.stat", names[3]))
                yield _Group(limit, usage, statistics, names[2], events)
            if folder == mounted:
                break


def _visible_cards(nvml: ModuleType, visible: str | None) -> Iterator[object]:
    """Handles of the cards that CUDA shows to this process: by number or by (the beginning of) their UUID."""
    wanted = None if visible is None else [name.strip() for name in visible.split(",")]
    for index in range(nvml.nvmlDeviceGetCount()):
        card = nvml.nvmlDeviceGetHandleByIndex(index)
        uuid = nvml.nvmlDeviceGetUUID(card)
        if (
            wanted is None
            or str(index) in wanted
            or any(name.startswith("GPU-") and uuid.startswith(name) for name in wanted)
        ):
            yield card
