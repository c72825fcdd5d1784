"""`scripts/bench gpu` as its command line calls it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.gpu.device import Device
from bench.gpu.environment import Unfit
from bench.gpu.run import run
from bench.gpu.setting import GpuSetting
from server import hardware
from server.repository import profiles


def measure(
    repository: Path, file: Path | None, only: Sequence[str], profile: str | None, device: str, *, quick: bool
) -> int:
    """The exit code; what this machine lacks is one line."""
    if device not in ("cuda", "cpu"):
        print(f"error: the device {device!r} is unknown: cuda or cpu", file=sys.stderr)
        return 2
    found = hardware.detect() if device == "cuda" else []
    fitting = profile or hardware.choose(found, profiles(repository)).profile
    setting = GpuSetting(repository, fitting, quick, Device(device))
    try:
        return 0 if run(setting, only, file) else 1
    except Unfit as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
