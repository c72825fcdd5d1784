"""The results of a load test as one CSV file and as tables for people."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from bench.figures import ms, number, table

from perf.load import Load
from perf.results import Result

Rows = Sequence[tuple[Load, Result]]
HEAD = (
    "recipe",
    "model",
    "clients",
    "rate_per_second",
    "batch",
    "shared_memory",
    "requests",
    "requests_per_second",
    "audio_seconds_per_second",
    "p50_ms",
    "p95_ms",
    "first_p50_ms",
    "first_p95_ms",
    "server_queue_ms",
    "server_compute_ms",
)


def write(rows: Rows, file: Path) -> None:
    """One line for each load."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEAD)
        writer.writerows(_cells(load, found) for load, found in rows)


def _cells(load: Load, found: Result) -> list[object]:
    times = (found.latency.p50, found.latency.p95, found.first.p50, found.first.p95)
    server = (found.server["queue_seconds"], found.server["compute_seconds"])
    return [
        load.recipe,
        load.model,
        load.clients,
        load.rate,
        load.batch,
        "none" if load.shared_memory is None else "system",
        found.requests,
        f"{found.requests_per_second:.4g}",
        f"{found.audio_seconds_per_second:.4g}",
        *(f"{1000 * seconds:.2f}" for seconds in (*times, *server)),
    ]


def show(rows: Rows) -> str:
    """A recipe's rows as a table in Markdown."""
    head = ("model", "load", "requests/s", "audio s/s", "P50 ms", "P95 ms", "first ms, P50, P95", "queue, compute ms")
    return table(head, [_line(load, found) for load, found in rows])


def _line(load: Load, found: Result) -> tuple[str, ...]:
    if load.clients is None:
        level = f"{load.rate:g} per second"
    else:
        level = f"{load.clients} client{'s' if load.clients > 1 else ''}"
    details = (f"batch {load.batch}" if load.batch > 1 else "", "shared memory" if load.shared_memory else "")
    return (
        load.model,
        ", ".join(part for part in (level, *details) if part),
        number(found.requests_per_second),
        number(found.audio_seconds_per_second) if found.audio_seconds_per_second else "–",
        ms(found.latency.p50),
        ms(found.latency.p95),
        f"{ms(found.first.p50)}, {ms(found.first.p95)}",
        f"{ms(found.server['queue_seconds'])}, {ms(found.server['compute_seconds'])}",
    )
