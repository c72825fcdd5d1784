"""How many processors this process may use: those of its affinity, if its control groups give it time on so many."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def cores(own: Path = _OWN, groups: Path = _GROUPS) -> int:
    """At least 1. A limit of 1.5 processors (a container's `--cpus`) counts as 2."""
    return max(1, min([len(os.sched_getaffinity(0)), *_quotas(own, groups)]))


def _quotas(own: Path, groups: Path) -> Iterator[int]:
    """The limits of the group that this process is in and of all above it (version 2; none are read of version 1)."""
    try:
        lines = own.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return
    path = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    group = groups / path.strip("/")
    for folder in (group, *group.parents):
        if not folder.is_relative_to(groups):
            return
        try:
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        except (OSError, ValueError):
            continue  # the topmost group has no limit, and so no such file
        if quota != "max":
            yield math.ceil(int(quota) / int(period))
