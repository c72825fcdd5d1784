"""``metrics``: what the server counted, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import typer

from .. import _address
from .._connection import DEFAULT_SERVER
from .._metrics import Metrics, ModelMetrics, read_metrics, step_name
from ._console import emit, emit_json
from ._options import Json, Seconds, Server
from ._table import table

DEFAULT_PORT = 8002


def metrics(
    as_json: Json = False,
    address: Annotated[
        str | None,
        typer.Option(
            "--metrics", metavar="HOST:PORT", help=f"The metrics' address; port {DEFAULT_PORT} of --server's."
        ),
    ] = None,
    server: Server = DEFAULT_SERVER,
    seconds: Seconds = 30.0,
) -> None:
    """Tell what the server did since it started."""
    host, _ = _address.split(server, "server", DEFAULT_SERVER)
    found = read_metrics(address or f"{host}:{DEFAULT_PORT}", timeout=seconds)
    if as_json:
        emit_json(asdict(found))
        return
    for line in _lines(found):
        emit(line)
    if found.models:
        emit(table([_HEADER, *map(_row, found.models)]))


def _lines(found: Metrics) -> list[str]:
    """What is known of the front door, a line each; what this server does not count is left out."""
    lines = [_counts("requests", found.requests)]
    if found.in_flight is not None:
        oldest = f", the first for {found.oldest_wait:.1f} s" if found.waiting and found.oldest_wait else ""
        lines.append(f"in flight: {found.in_flight}, waiting: {found.waiting or 0}{oldest}")
    lines.append(_counts("refused", found.refused))
    if found.degradation_step is not None:
        lines.append(f"degradation step: {found.degradation_step} ({step_name(found.degradation_step)})")
    lines.append(_audio(found))
    if found.memory:
        lines.append("memory used: " + ", ".join(f"{where} {used:.0%}" for where, used in sorted(found.memory.items())))
    if found.out_of_memory:
        lines.append(f"out of memory: {found.out_of_memory}")
    if found.unhealthy:
        lines.append(f"dead models: {', '.join(found.unhealthy)}")
    lines.append(_counts("voices loaded", found.voice_loads))
    lines.append(_counts("voices unloaded", found.voice_unloads))
    lines.append(_counts("models revived", found.revivals))
    return [line for line in lines if line]


def _audio(found: Metrics) -> str:
    if found.audio_seconds is None:
        return ""
    first = "" if found.first_audio is None else f", the first after {found.first_audio:.3f} s on average"
    factor = ""
    if found.synthesis_seconds is not None and found.audio_seconds:
        factor = f", real-time factor {found.synthesis_seconds / found.audio_seconds:.2f}"
    return f"audio: {found.audio_seconds:.1f} s{first}{factor}"


def _counts(what: str, counts: Mapping[str, int]) -> str:
    shown = ", ".join(f"{count} {name}".strip() for name, count in counts.items() if count)
    return f"{what}: {shown}" if shown else ""


_HEADER = ("MODEL", "REQUESTS", "FAILED", "PENDING", "INFERENCES", "BATCHES", "MEAN BATCH", "CACHE HITS")


def _row(model: ModelMetrics) -> tuple[str, ...]:
    hits = "-"
    if model.cache_hits is not None:
        hits = f"{model.cache_hits} of {model.cache_hits + (model.cache_misses or 0)}"
    mean = "-" if model.mean_batch is None else f"{model.mean_batch:.2f}"
    counts = (model.requests, model.failures, model.pending, model.inferences, model.executions)
    return (model.model, *map(str, counts), mean, hits)
