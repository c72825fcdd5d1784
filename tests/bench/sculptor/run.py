"""The order of the sections, and the command line's own checks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bench import sections
from bench.sculptor import llasa, served, stages, tokens
from bench.sculptor.setting import SIZES, SculptorSetting

COMMAND = "scripts/bench sculptor"
SECTIONS = (stages.SECTION, tokens.SECTION, llasa.SECTION, served.SECTION)


def command(
    repository: Path, file: Path | None, sizes: Sequence[str], only: Sequence[str], *, quick: bool, kept: Path
) -> int:
    """Measure, print and write; the exit code. A quick run is not written to `kept`, which is the documentation's."""
    if unknown := [size for size in sizes if size not in SIZES]:
        print(f"error: the size {unknown[0]!r} is unknown: {' or '.join(SIZES)}", file=sys.stderr)
        return 2
    chosen = sections.chosen(SECTIONS, only)
    setting = SculptorSetting(repository, quick=quick, sizes=tuple(sizes) or (SIZES[:1] if quick else SIZES))
    return 0 if sections.run(COMMAND, chosen, setting, file or (setting.work / "quick.json" if quick else kept)) else 1
