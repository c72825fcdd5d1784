"""What came of a closed loop of clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Spread
from bench.offer import Asked


@dataclass(frozen=True)
class Loop:
    """What came of a closed loop: audio seconds per second, seconds to the first and the last audio, refusals."""

    requests: int
    refused: int
    audio_seconds_per_second: float
    p50_seconds: float
    p95_seconds: float
    first_p50_seconds: float
    first_p95_seconds: float


def loop(asked: Sequence[Asked], sample_rate: int) -> Loop:
    """Of the requests of a loop, over the time from its first sending to its last answer."""
    answered = [each for each in asked if each.status == "OK"]
    elapsed = max(each.ended for each in asked) - min(each.sent for each in asked)
    audio = sum(each.samples for each in answered) / sample_rate
    whole = Spread.of(each.seconds for each in answered)
    first = Spread.of(each.heard - each.sent for each in answered if each.heard is not None)
    return Loop(len(asked), len(asked) - len(answered), audio / elapsed, whole.p50, whole.p95, first.p50, first.p95)
