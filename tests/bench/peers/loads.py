"""One load on one system, and what is to be known of it."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.figures import Spread
from bench.offer import Asked
from export.families.fastspeech2.checkpoint import SAMPLE_RATE


def arrivals(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """The times of a Poisson process of `rate` events per second, up to `seconds`.

    The same seed gives the same pattern at every rate, faster or slower.
    """
    gap = random.Random(seed).expovariate
    time = gap(1.0) / rate
    while time < seconds:
        yield time
        time += gap(1.0) / rate


@dataclass(frozen=True)
class Closed:
    """A closed loop in a window of time: audio seconds and requests per second, and seconds of each request.

    `latency` is to the end of an answer, `first` to its first audio, of those that ended in the window or after it;
    `failed` is how many had no audio.
    """

    audio_rate: float
    request_rate: float
    latency: list[float]
    first: list[float]
    failed: int


def closed(asked: Sequence[Asked], begin: float, end: float) -> Closed:
    """A request that lies in the window in part counts by that part: its system worked on it before and after."""
    answered = [each for each in asked if each.samples and each.status == "OK"]
    shares = [max(0.0, min(end, each.ended) - max(begin, each.sent)) / each.seconds for each in answered]
    inside = [each for each in answered if each.ended >= begin]
    return Closed(
        audio_rate=sum(share * each.samples for share, each in zip(shares, answered, strict=True))
        / SAMPLE_RATE
        / (end - begin),
        request_rate=sum(shares) / (end - begin),
        latency=[each.seconds for each in inside],
        first=[each.heard - each.sent for each in inside if each.heard],
        failed=len(asked) - len(answered),
    )


@dataclass(frozen=True)
class Open:
    """Requests that came by themselves, in seconds from when each was due.

    Of `sent` requests `refused` were turned away at once and `unfinished` had no answer within the limit: those are
    infinitely late in the latencies, and the refused are not in them.
    """

    offered_rate: float
    sent: int
    answered: int
    refused: int
    unfinished: int
    latency: list[float]
    first: list[float]
    outcomes: dict[str, int]


def opened(asked: Sequence[Asked], rate: float) -> Open:
    """What became of all requests of an open loop."""
    answered = [each for each in asked if each.samples and each.status == "OK"]
    late = [each for each in asked if each.status == "DEADLINE_EXCEEDED"]
    never = [math.inf] * len(late)
    return Open(
        offered_rate=rate,
        sent=len(asked),
        answered=len(answered),
        refused=len(asked) - len(answered) - len(late),
        unfinished=len(late),
        latency=[each.ended - each.due for each in answered] + never,
        first=[each.heard - each.due for each in answered if each.heard] + never,
        outcomes=dict(Counter(each.outcome for each in asked).most_common()),
    )


def together(rounds: Sequence[Open]) -> Open:
    """The rounds of one load as if they were one run."""
    return Open(
        offered_rate=rounds[0].offered_rate,
        sent=sum(each.sent for each in rounds),
        answered=sum(each.answered for each in rounds),
        refused=sum(each.refused for each in rounds),
        unfinished=sum(each.unfinished for each in rounds),
        latency=[value for each in rounds for value in each.latency],
        first=[value for each in rounds for value in each.first],
        outcomes=dict(sum((Counter(each.outcomes) for each in rounds), Counter())),
    )


def pooled(rounds: Sequence[Sequence[float]]) -> Spread:
    """All samples of all rounds."""
    return Spread.of(value for samples in rounds for value in samples)
