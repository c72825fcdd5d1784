"""Summaries of samples, and tables of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Median, 95th percentile and maximum of a number of samples; not a number without any."""

    count: int
    p50: float
    p95: float
    most: float

    @classmethod
    def of(cls, samples: Iterable[float]) -> Spread:
        values = sorted(samples)
        if not values:
            return cls(0, math.nan, math.nan, math.nan)
        return cls(len(values), statistics.median(values), percentile(values, 0.95), values[-1])


@dataclass(frozen=True)
class Trend:
    """A straight line through samples: its slope, and the slope's standard error if they are independent."""

    slope: float
    error: float


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of sorted `values` that at least `share` of them do not exceed."""
    return values[max(0, math.ceil(share * len(values)) - 1)]


def trend(times: Sequence[float], values: Sequence[float]) -> Trend | None:
    """The least squares line of values over times; None for fewer than three samples."""
    if len(times) < 3:
        return None
    slope, start = statistics.linear_regression(times, values)
    middle = statistics.fmean(times)
    spread = sum((time - middle) ** 2 for time in times)
    rest = sum((value - start - slope * time) ** 2 for time, value in zip(times, values, strict=True))
    return Trend(slope, math.sqrt(rest / (len(times) - 2) / spread))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def ms(seconds: float) -> str:
    """Seconds as milliseconds: three figures at most below ten, none after the point above."""
    value = 1000 * seconds
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def mib(value: float | None) -> str:
    """MiB without a fraction, a dash where it could not be read."""
    return "–" if value is None else f"{value:.0f}"


def number(value: float) -> str:
    """Two figures after the point below a hundred."""
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
