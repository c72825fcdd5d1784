"""What the sections share: voices of random weights, made once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.setting import Setting

if TYPE_CHECKING:
    from bench.sculptor.voices import Made

THREADS = os.cpu_count() or 1
SIZES = ("small", "full")


@dataclass(frozen=True)
class SculptorSetting(Setting):
    """`sizes` are "small" and "full"; `work` is a folder that may be written to. `quick` takes the shortest inputs.

    `voices` are those that there are, by their size.
    """

    sizes: tuple[str, ...] = SIZES
    work: Path = Path("build/sculptor")
    voices: dict[str, Made] = field(default_factory=dict)

    def voice(self, size: str) -> Made:
        """The voice of a size; made when it is first asked for."""
        from bench.sculptor.voices import make

        if size not in self.voices:
            self.voices[size] = make(self, size)
        return self.voices[size]
