"""The order of the sections, the file they are written to, and the goals beside what was measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import report, sections
from bench.figures import table
from bench.gpu import ceilings, eager, environment, sculptor, served, stages
from bench.gpu.goals import GOALS, REFERENCES
from bench.gpu.setting import GpuSetting

COMMAND = "scripts/bench gpu"
SECTIONS = (environment.SECTION, ceilings.SECTION, stages.SECTION, eager.SECTION, served.SECTION, sculptor.SECTION)
FOLDER = Path("docs/benchmarks")


def file_for(setting: GpuSetting) -> Path:
    """`gpu_<name of the card>.json`; what a quick run or a processor says is not kept with the documentation."""
    name = environment.card().get("name", setting.device.kind) if setting.device.is_gpu else setting.device.kind
    folder = FOLDER if setting.device.is_gpu and not setting.quick else setting.work
    return folder / f"gpu_{re.sub(r'[^a-z0-9]+', '_', str(name).lower()).strip('_')}.json"


def run(setting: GpuSetting, wanted: Sequence[str], file: Path | None) -> bool:
    """Check the machine, measure, print, write. False when a section failed. Raises `environment.Unfit`."""
    chosen = sections.chosen(SECTIONS, wanted)
    environment.check(setting.device)
    written = file or file_for(setting)
    well = sections.run(COMMAND, chosen, setting, written)
    print(f"\n## Goals\n\n{goals(results(report.read(written)))}\n\nWritten: {written}", flush=True)
    return well


def results(content: dict[str, Any]) -> dict[str, Any]:
    """The results of the sections that have one."""
    return {name: entry["result"] for name, entry in content.get("sections", {}).items() if "result" in entry}


def goals(found: dict[str, Any]) -> str:
    """Two tables: what was wanted, and what others have measured."""
    verdicts = {None: "not measured", True: "reached", False: "missed"}
    rows = []
    for goal in GOALS:
        value = goal.find(found)
        wanted = f"≥ {goal.least:g}" if goal.least is not None else f"≤ {goal.most:g}"
        rows.append((goal.text, "–" if value is None else f"{value:.4g}", wanted, verdicts[goal.met(found)]))
    return table(("goal", "measured", "wanted", ""), rows) + "\n\n" + table(("elsewhere", "measured"), REFERENCES)
