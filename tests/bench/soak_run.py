"""The command line of `scripts/soak`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench import report, soak_report
from bench.machine import busy_cores, machine
from bench.soak import soak

REPOSITORY = Path(__file__).resolve().parents[2] / "model_repository"
# Relative, as scripts/soak goes to the checkout's root.
FILE = Path("docs/benchmarks/soak.json")


def main(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 20.0,
    json_file: Annotated[Path, typer.Option("--json", help="Where to write the numbers.")] = FILE,
    clients: Annotated[int, typer.Option(min=1, help="Clients at once.")] = 8,
    profile: Annotated[str | None, typer.Option(help="The hardware profile; the one that fits without.")] = None,
) -> None:
    """Mixed work under full load: what became of memory, of each request and of the server. Exits with 1 if unsound."""
    busy = busy_cores()
    run = soak(REPOSITORY, minutes, clients, profile)
    here = machine()
    typer.echo(f"{here.title}\n\n{soak_report.show(run)}")
    about = {"command": f"scripts/soak --minutes {minutes:g} --clients {clients}", "cores_busy_before": busy}
    report.write(json_file, about | {"machine": asdict(here)} | soak_report.content(run))
    if not soak_report.sound(run):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
