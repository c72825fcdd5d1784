"""Ways to do the same that take turns, so that a machine's moods meet all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def medians(
    ways: Mapping[str, Callable[[], object]],
    runs: int,
    warming: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Seconds of a run of each, by a clock; the first runs do not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(warming + runs):
        for name, way in ways.items():
            begin = clock()
            way()
            if turn >= warming:
                taken[name].append(clock() - begin)
    return {name: statistics.median(times) for name, times in taken.items()}
