"""Runs the sections of a benchmark into one report and one file."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import typer

from bench import report
from bench.machine import busy_cores, machine
from bench.setting import Section, Setting, Skipped

Report = dict[str, Any]


def names(sections: Sequence[Section]) -> str:
    """What `chosen` knows."""
    return ", ".join(section.name.replace("_", "-") for section in sections)


def chosen(sections: Sequence[Section], wanted: Sequence[str]) -> list[Section]:
    """Those of these names, all without any. Raises `typer.BadParameter`."""
    known = {section.name: section for section in sections}
    asked = [name.replace("-", "_") for name in wanted] or list(known)
    for name in asked:
        if name not in known:
            raise typer.BadParameter(f"there is no section {name.replace('_', '-')!r}: use {names(sections)}")
    return [known[name] for name in asked]


def run(command: str, sections: Sequence[Section], setting: Setting, file: Path) -> bool:
    """Measure, print and write; what the file holds of other sections stays. False when a section failed."""
    found = report.read(file)
    found |= {"command": command, "machine": asdict(machine())}
    found.setdefault("sections", {})
    typer.echo(machine().title)
    failed = False
    for section in sections:
        print(f"{section.title} …", file=sys.stderr, flush=True)
        entry = _measured(section, setting)
        typer.echo(f"\n## {section.title}\n\n{_shown(section, entry)}")
        failed = failed or "failed" in entry
        found["sections"][section.name] = entry
        # After each, so that nothing is lost when a later one is interrupted.
        report.write(file, found)
    return not failed


def _measured(section: Section, setting: Setting) -> Report:
    begin = time.perf_counter()
    entry: Report = {
        "measured": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "quick": setting.quick,
        "profile": setting.profile,
        "cores_busy_before": busy_cores(),
    }
    try:
        entry["result"] = section.measure(setting)
    except Skipped as reason:
        entry["skipped"] = str(reason)
    except Exception as error:  # the other sections are worth having, whatever one of them dies of
        entry["failed"] = f"{type(error).__name__}: {error}"
    entry["took_seconds"] = round(time.perf_counter() - begin, 1)
    return entry


def _shown(section: Section, entry: Report) -> str:
    if "skipped" in entry:
        return f"Skipped: {entry['skipped']}."
    if "failed" in entry:
        return f"Failed: {entry['failed']}"
    note = "" if entry["cores_busy_before"] < 0.25 else f"{entry['cores_busy_before']} cores were busy before.\n\n"
    return note + section.show(entry["result"])
