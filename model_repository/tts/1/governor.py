"""Decides how much the service gives up when memory or time runs short: a pure policy over readings and a clock.

The ladder is full → smaller chunks and less concurrency → the faster vocoder → shed. It is climbed at once and
descended one step at a time, after the readings have stayed clear of the step's thresholds by a margin for a while, so
that readings which swing around a threshold do not make the service swing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

# How far a reading must be on the good side of a threshold before the step above it may be left.
MARGIN = 0.1
# A queue that is slow for shorter than this many seconds is a burst, not a load.
PATIENCE_SECONDS = 2.0
NORMAL = "memory and queue are normal"


class Step(IntEnum):
    """A rung of the ladder; each includes what those before it do."""

    FULL = 0
    SMALL = 1
    LIGHT = 2
    SHED = 3


@dataclass(frozen=True)
class Readings:
    """What is known at one moment: memory in bytes and as the used share (0…1), waits in seconds.

    `gpu_free` and `gpu_used` are those of the fullest card, None without one. `queue_wait` is how long requests wait
    to be started, `in_flight` how many run.
    """

    host_free: int
    host_used: float
    gpu_free: int | None
    gpu_used: float | None
    queue_wait: float
    in_flight: int


@dataclass(frozen=True)
class Limit:
    """Memory's threshold for one step: too little free (bytes) or too large a share used (0…1); 0 is off."""

    free_bytes: int = 0
    used_fraction: float = 0.0


@dataclass(frozen=True)
class Thresholds:
    """When each step is taken. `queue_wait_seconds` 0 switches that rule off."""

    small: Limit = Limit()
    light: Limit = Limit()
    shed: Limit = Limit()
    queue_wait_seconds: float = 0.0
    recover_seconds: float = 10.0


class Governor:
    """Follows the readings; one thread calls `update`, any may read `step` and `reason`."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._step = Step.FULL
        self._reason = NORMAL
        self._slow_since: float | None = None
        self._clear_since: float | None = None

    @property
    def step(self) -> Step:
        """The step in force."""
        return self._step

    @property
    def reason(self) -> str:
        """What the step is due to, in one phrase: "2.1 GB of host memory free"."""
        return self._reason

    def update(self, readings: Readings, now: float) -> Step:
        """The step that these readings, taken at `now` (seconds on a clock that never goes back), put in force."""
        wanted, reason = self._demand(readings, 0.0, self._has_been_slow(readings, now))
        held, held_reason = self._demand(readings, MARGIN, self._is_slow(readings, MARGIN))
        if wanted > self._step or (wanted == self._step and wanted):
            self._step, self._reason, self._clear_since = wanted, reason, None
        elif held >= self._step:
            self._clear_since = None
        elif self._clear_since is None:
            self._clear_since = now
        if self._clear_since is not None and now - self._clear_since >= self._thresholds.recover_seconds:
            self._step = Step(self._step - 1)
            # The next step down takes as long again.
            self._clear_since = now
            self._reason = NORMAL if self._step is Step.FULL else held_reason if held else "memory and queue recover"
        return self._step

    def _demand(self, readings: Readings, margin: float, slow: bool) -> tuple[Step, str]:
        """The highest step that the readings ask for, with memory's limits moved by `margin` to the cautious side."""
        limits = self._thresholds
        for step, limit in ((Step.SHED, limits.shed), (Step.LIGHT, limits.light), (Step.SMALL, limits.small)):
            for reason in _shortages(readings, limit, margin):
                return step, reason
        if slow:
            return Step.SMALL, f"requests wait {readings.queue_wait:.1f} s to be started"
        return Step.FULL, NORMAL

    def _is_slow(self, readings: Readings, margin: float) -> bool:
        bound = self._thresholds.queue_wait_seconds * (1 - margin)
        # Waiting while nothing runs is waiting for something else than capacity: a voice that is being loaded, say.
        return bound > 0 and readings.in_flight > 0 and readings.queue_wait > bound

    def _has_been_slow(self, readings: Readings, now: float) -> bool:
        if not self._is_slow(readings, 0.0):
            self._slow_since = None
        elif self._slow_since is None:
            self._slow_since = now
        return self._slow_since is not None and now - self._slow_since >= PATIENCE_SECONDS


def _shortages(readings: Readings, limit: Limit, margin: float) -> Iterator[str]:
    """Each way in which memory is short of one step's limit, as a phrase."""
    memories = (
        ("host", readings.host_free, readings.host_used),
        ("GPU", readings.gpu_free, readings.gpu_used),
    )
    for name, free, used in memories:
        if free is not None and free < limit.free_bytes * (1 + margin):
            yield f"{free / 1e9:.1f} GB of {name} memory free"
        if used is not None and limit.used_fraction and used > limit.used_fraction * (1 - margin):
            yield f"{used:.0%} of {name} memory used"


@dataclass(frozen=True)
class Allowance:
    """What a step leaves: requests in flight, frames of a chunk, whether the fastest vocoder answers, and whether new
    requests are taken at all."""

    in_flight: int
    chunk_frames: int
    fastest: bool
    admit: bool


def allowance(step: Step, max_in_flight: int, first_chunk_frames: int, max_chunk_frames: int) -> Allowance:
    """What `step` leaves of a profile's bounds: half of the concurrency and of the chunk, never nothing."""
    if step is Step.FULL:
        return Allowance(max_in_flight, max_chunk_frames, False, True)
    return Allowance(
        in_flight=max(1, max_in_flight // 2),
        chunk_frames=max(first_chunk_frames, max_chunk_frames // 2),
        fastest=step >= Step.LIGHT,
        admit=step < Step.SHED,
    )
