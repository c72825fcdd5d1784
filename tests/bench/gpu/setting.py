"""What the sections share: the device, its ceilings, and a repository of its own with all that is measured."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bench.gpu.device import Device
from bench.setting import Setting

if TYPE_CHECKING:
    from bench.gpu.ceilings import Ceilings
    from bench.gpu.subjects import Subjects
    from bench.sculptor.voices import Made

# Of a section, in minutes: what it does not get to is left out and counted.
BUDGET_MINUTES = 6.0


@dataclass(frozen=True)
class GpuSetting(Setting):
    """`work` is a folder that may be written to; `quick` takes toy sizes everywhere.

    `sambert` and `designed`, the voice of the section `sculptor`, are taken as they are where there is one already.
    """

    device: Device = field(default_factory=lambda: Device("cuda"))
    work: Path = Path("build/gpu")
    sambert: Made | None = None
    designed: Made | None = None

    @cached_property
    def ceilings(self) -> Ceilings:
        """Measured once."""
        from bench.gpu.ceilings import ceilings

        self.tell("measuring the ceilings")
        return ceilings(self.device, quick=self.quick)

    @cached_property
    def subjects(self) -> Subjects:
        """Exported once."""
        from bench.gpu.subjects import prepare

        return prepare(self)

    def deadline(self) -> Deadline:
        """For a section that begins now."""
        return Deadline(time.monotonic() + 60 * BUDGET_MINUTES)


@dataclass(frozen=True)
class Deadline:
    """A time on the monotonic clock."""

    at: float

    @property
    def passed(self) -> bool:
        return time.monotonic() > self.at
