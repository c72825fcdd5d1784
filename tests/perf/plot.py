"""One picture of a load test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from perf.load import Load
from perf.results import Result

Rows = Sequence[tuple[Load, Result]]
SIZE = (11.0, 7.5)
DPI = 110


def plot(rows: Rows, file: Path) -> None:
    """Four panels, of which those without rows stay empty; written as PNG."""
    figure = Figure(figsize=SIZE, layout="constrained")
    throughput, latency, rate, streaming = figure.subplots(2, 2).flat
    _throughput(throughput, _of(rows, "throughput"))
    _latency(latency, _of(rows, "throughput"), "Ensemble: latency", "clients")
    _latency(rate, _of(rows, "rate"), "Ensemble: latency at a rate", "requests per second offered")
    _first(streaming, _of(rows, "streaming"))
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=DPI)


def _of(rows: Rows, recipe: str) -> Rows:
    return [row for row in rows if row[0].recipe == recipe]


def _throughput(axes: Axes, rows: Rows) -> None:
    axes.plot([_level(load) for load, _ in rows], [found.audio_seconds_per_second for _, found in rows], "o-")
    _finish(axes, "Ensemble: throughput", "clients", "audio seconds per second")


def _latency(axes: Axes, rows: Rows, title: str, level: str) -> None:
    levels = [_level(load) for load, _ in rows]
    axes.plot(levels, [1000 * found.latency.p50 for _, found in rows], "o-", label="P50")
    axes.plot(levels, [1000 * found.latency.p95 for _, found in rows], "s--", label="P95")
    _finish(axes, title, level, "ms", legend=bool(rows))


def _first(axes: Axes, rows: Rows) -> None:
    levels = [_level(load) for load, _ in rows]
    axes.plot(levels, [1000 * found.first.p50 for _, found in rows], "o-", label="first audio, P50")
    axes.plot(levels, [1000 * found.first.p95 for _, found in rows], "s--", label="first audio, P95")
    axes.plot(levels, [1000 * found.latency.p50 for _, found in rows], "^:", label="all audio, P50")
    _finish(axes, "Router: streams", "streams", "ms", legend=bool(rows))


def _finish(axes: Axes, title: str, across: str, up: str, *, legend: bool = False) -> None:
    axes.set(title=title, xlabel=across, ylabel=up, ylim=(0, None))
    axes.grid(alpha=0.3)
    if legend:
        axes.legend()


def _level(load: Load) -> float:
    return load.clients if load.clients is not None else load.rate or 0.0
