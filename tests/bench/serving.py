"""`scripts/bench`: start, latency, throughput and memory of the service."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import typer

from bench.figures import mib, table
from bench.machine import machine
from bench.measure import Throughput, latency, throughput
from bench.processes import memory, total
from bench.setting import Setting
from bench.texts import TEXTS


def run(setting: Setting, file: Path | None, runs: int, requests: int) -> None:
    """Measure, print, and write if there is a file to write to."""
    begin = time.perf_counter()
    with setting.server() as server:
        start = time.perf_counter() - begin
        address = server.address.grpc
        latencies = [latency(address, name, 5 * runs) for name in TEXTS]
        loads = [_median([throughput(address, clients, requests) for _ in range(runs)]) for clients in (1, 4, 8)]
        assert server.pid is not None
        processes = memory(server.pid)
    here = machine()
    typer.echo(f"{here.title}; start {start:.1f} s\n")
    texts = [
        (
            row.text,
            row.characters,
            f"{row.audio_seconds:.2f}",
            f"{1000 * row.first_audio_seconds:.0f}",
            f"{1000 * row.total_seconds:.0f}",
            f"{row.real_time_factor:.3f}",
        )
        for row in latencies
    ]
    typer.echo(table(("text", "characters", "audio s", "first audio ms", "total ms", "RTF"), texts))
    clients = [
        (
            load.clients,
            f"{load.audio_seconds_per_second:.1f}",
            f"{1000 * load.p50_seconds:.0f}",
            f"{1000 * load.p95_seconds:.0f}",
            ", ".join(f"{size:.2f}" for size in load.mean_batch.values()),
        )
        for load in loads
    ]
    head = ("clients", "audio s per s", "P50 ms", "P95 ms", "mean batch: encoder, decoder, melgan")
    typer.echo(f"\n{table(head, clients)}")
    shares = [(process.process, mib(process.rss_mib), mib(process.pss_mib)) for process in processes]
    typer.echo(f"\n{table(('process', 'RSS MiB', 'PSS MiB'), [*shares, ('together', '', mib(total(processes)))])}")
    if file:
        content = {
            "command": "scripts/bench",
            "machine": asdict(here),
            "start_seconds": start,
            "latency": [asdict(row) for row in latencies],
            "throughput": [asdict(load) for load in loads],
            "memory": [asdict(process) for process in processes],
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _median(runs: list[Throughput]) -> Throughput:
    return sorted(runs, key=lambda run: run.audio_seconds_per_second)[len(runs) // 2]
