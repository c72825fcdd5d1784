"""`scripts/bench peers`: measured, printed, written and drawn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from bench import report
from bench.machine import busy_cores, machine
from bench.peers.measure import measure
from bench.peers.plots import draw
from bench.peers.show import show
from bench.peers.systems import SYSTEMS
from bench.setting import Setting
from export.errors import ExportError
from server.errors import ServerError


def run(setting: Setting, names: Sequence[str], file: Path | None) -> None:
    """Measure the systems of these names, all without any. Raises `typer.BadParameter` for one that is not known."""
    known = [system.name for system in SYSTEMS]
    if unknown := sorted(set(names) - set(known)):
        raise typer.BadParameter(f"there is no system {unknown[0]!r}: use {', '.join(known)}")
    here, begin = machine(), time.perf_counter()
    content = {"command": "scripts/bench peers", "machine": asdict(here), "quick": setting.quick}
    content["cores_busy_before"] = busy_cores()
    try:
        result = asyncio.run(measure(setting, names))
    except (RuntimeError, ExportError, ServerError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{here.title}; {content['cores_busy_before']} cores were busy before\n\n{show(result)}")
    if file:
        took = {"took_seconds": round(time.perf_counter() - begin)}
        report.write(file, content | took | result)
        draw(result, file)
