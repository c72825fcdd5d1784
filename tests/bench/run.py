"""`scripts/bench`: one table, and the same as JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from bench.measure import TEXTS, Throughput, latency, memory, throughput
from server import ServerOptions, TritonServer

ROOT = Path(__file__).resolve().parents[2]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _median(runs: list[Throughput]) -> Throughput:
    return sorted(runs, key=lambda run: run.audio_seconds_per_second)[len(runs) // 2]


def main(
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the numbers.")] = None,
    runs: Annotated[int, typer.Option(help="Runs of each load, of which the median is told.")] = 3,
    requests: Annotated[int, typer.Option(help="Requests of each load.")] = 32,
) -> None:
    """Start, latency, throughput and memory of the service on this machine."""
    begin = time.perf_counter()
    with TritonServer(ServerOptions(ROOT / "model_repository")) as server:
        start = time.perf_counter() - begin
        address = server.address.grpc
        latencies = [latency(address, name, 5 * runs) for name in TEXTS]
        loads = [_median([throughput(address, clients, requests) for _ in range(runs)]) for clients in (1, 4, 8)]
        assert server.pid is not None
        processes = memory(server.pid)
    machine = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "date": date.today().isoformat(),
        "versions": {name: version(name) for name in ("nvidia-pytriton", "onnxruntime", "numpy")},
    }
    typer.echo(f"{machine['processor']}, {machine['cores']} cores, {machine['date']}; start {start:.1f} s\n")
    typer.echo("| text | characters | audio s | first audio ms | total ms | RTF |\n|---|---|---|---|---|---|")
    for row in latencies:
        typer.echo(
            f"| {row.text} | {row.characters} | {row.audio_seconds:.2f} | {1000 * row.first_audio_seconds:.0f} | "
            f"{1000 * row.total_seconds:.0f} | {row.real_time_factor:.3f} |"
        )
    typer.echo(
        "\n| clients | audio s per s | P50 ms | P95 ms | mean batch: encoder, decoder, melgan |\n|---|---|---|---|---|"
    )
    for load in loads:
        batches = ", ".join(f"{size:.2f}" for size in load.mean_batch.values())
        typer.echo(
            f"| {load.clients} | {load.audio_seconds_per_second:.1f} | {1000 * load.p50_seconds:.0f} | "
            f"{1000 * load.p95_seconds:.0f} | {batches} |"
        )
    typer.echo("\n| process | RSS MiB | PSS MiB |\n|---|---|---|")
    for process in processes:
        typer.echo(f"| {process.process} | {process.rss_mib:.0f} | {process.pss_mib:.0f} |")
    typer.echo(f"| together | | {sum(process.pss_mib for process in processes):.0f} |")
    if json_file:
        content = {
            "command": "scripts/bench",
            "machine": machine,
            "start_seconds": start,
            "latency": [asdict(row) for row in latencies],
            "throughput": [asdict(load) for load in loads],
            "memory": [asdict(process) for process in processes],
        }
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
