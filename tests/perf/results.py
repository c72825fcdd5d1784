"""What perf_analyzer has written: its table, and the times of every request."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Spread

from perf.tool import PerfError

# Columns of its table, microseconds per request, and the names that they get here, in seconds.
COLUMNS = {
    "queue_seconds": "Server Queue",
    "compute_seconds": "Server Compute Infer",
    "p50_reported_seconds": "p50 latency",
    "p95_reported_seconds": "p95 latency",
}


@dataclass(frozen=True)
class Request:
    """Times of a request in seconds from its sending, and the audio that came."""

    sent: float
    first: float
    last: float
    audio_seconds: float


@dataclass(frozen=True)
class Result:
    """What came of a load.

    Latency is until the last response, `first` until the first one with audio. Rates are over the time from the first
    request to the last response. The server's own parts are means as perf_analyzer reports them, not a number where it
    does not: of an ensemble they are the sums over its models, of a router nearly nothing.
    """

    requests: int
    requests_per_second: float
    audio_seconds_per_second: float
    latency: Spread
    first: Spread
    server: dict[str, float]


def result(table: Path, export: Path) -> Result:
    """What a run has written. Raises `PerfError` for files that are not what they should be."""
    try:
        row = reported(table.read_text(encoding="utf-8"))
        requests = exported(json.loads(export.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise PerfError(f"perf_analyzer's results beside {table} cannot be read: {error!r}") from error
    if not requests:
        raise PerfError(f"perf_analyzer has no answered request in {export}")
    return summary(requests, row)


def reported(text: str) -> dict[str, float]:
    """The first table of its CSV, which has one line, in seconds; an ensemble's models follow after an empty line."""
    head, line = list(csv.reader(text.split("\n\n")[0].splitlines()))[:2]
    row = dict(zip(head, line, strict=True))
    return {name: float(row[column]) / 1e6 if column in row else math.nan for name, column in COLUMNS.items()}


def exported(content: Mapping[str, Any]) -> list[Request]:
    """The requests of its profile export, in the order of their sending.

    A stream ends with an empty response, whose outputs are what lay in memory: audio is only what is a list.
    """
    requests = []
    for one in content["experiments"][0]["requests"]:
        sent, times, outputs = one["timestamp"], one["response_timestamps"], one.get("response_outputs", [])
        if not times:
            continue
        lengths = [_audio_seconds(output) for output in outputs]
        audible = [time for time, length in zip(times, lengths, strict=False) if length > 0]
        first = audible[0] if audible else times[0]
        requests.append(Request(sent / 1e9, (first - sent) / 1e9, (times[-1] - sent) / 1e9, sum(lengths)))
    return sorted(requests, key=lambda request: request.sent)


def _audio_seconds(output: Mapping[str, Any]) -> float:
    samples = output.get("AUDIO")
    return len(samples) / float(output["SAMPLE_RATE"]) if isinstance(samples, list) else 0.0


def summary(requests: Sequence[Request], server: Mapping[str, float]) -> Result:
    """Rates and spreads of requests.

    perf_analyzer's own rates are not used: its clock for a counted load goes in whole seconds.
    """
    elapsed = max(request.sent + request.last for request in requests) - requests[0].sent
    return Result(
        len(requests),
        len(requests) / elapsed,
        sum(request.audio_seconds for request in requests) / elapsed,
        Spread.of(request.last for request in requests),
        Spread.of(request.first for request in requests),
        dict(server),
    )
