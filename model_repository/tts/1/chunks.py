"""Which frames of a mel spectrogram go through the vocoder at once.

A vocoder's sample depends on at most `lead` frames before its own and `tail` frames after it. A window therefore
carries that many frames more than it is asked for, and what it gives in the middle is what the whole clause would have
given there. Every window fills whole buckets, so that the batcher finds equal shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mel = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """Frames `start` to `stop` go in; of what comes out, `skip` frames are dropped and the next `keep` are used."""

    start: int
    stop: int
    skip: int
    keep: int


@dataclass(frozen=True)
class ChunkSizes:
    """Frames that the first window of a request gives at least, and that any window gives at most (about)."""

    first: int
    largest: int


class Growth:
    """How many frames the next window of a request is to give: as many as are vocoded before what there is has been
    heard, by the speed so far and with as much time again to spare.

    `frame_seconds` is how long a frame is heard, `context` how many frames a window has besides those that it gives.
    """

    def __init__(self, sizes: ChunkSizes, frame_seconds: float, context: int, clock: Callable[[], float]) -> None:
        self._sizes = sizes
        self._frame_seconds = frame_seconds
        self._context = context
        self._clock = clock
        self._begin = clock()
        self._first_end: float | None = None
        self._vocoded = 0
        self._given = 0

    def __call__(self) -> int:
        """Frames from `sizes.first` to `sizes.largest`."""
        if self._first_end is None:
            return self._sizes.first
        now = self._clock()
        to_be_heard = self._given * self._frame_seconds - (now - self._first_end)
        speed = self._vocoded / max(now - self._begin, 1e-9)
        return min(max(int(speed * to_be_heard / 2) - self._context, self._sizes.first), self._sizes.largest)

    def vocoded(self, window: Window) -> None:
        """A window has gone through the vocoder."""
        self._first_end = self._first_end or self._clock()
        self._vocoded += window.stop - window.start
        self._given += window.keep


def windows(frames: int, size: Callable[[], int], *, lead: int, tail: int, bucket: int) -> Iterator[Window]:
    """The windows of a clause of `frames` frames, in order and without gap; `size` is asked before each."""
    at = 0
    while at < frames:
        left = min(at, lead)
        length = _padded(left + size() + tail, bucket)
        keep = length - left - tail
        if frames - at <= keep + min(keep, lead):
            # A last window of a few frames would cost as much as its context: it joins this one.
            keep = frames - at
            length = _padded(left + keep + tail, bucket)
        yield Window(at - left, at - left + length, left, keep)
        at += keep


def cut(mel: Mel, window: Window) -> Mel:
    """The window's frames of mel [1, M, bands]; beyond the end, the last frame again."""
    piece = mel[:, window.start : window.stop]
    missing = window.stop - window.start - piece.shape[1]
    if missing:
        piece = np.concatenate([piece, np.repeat(mel[:, -1:], missing, axis=1)], axis=1)
    return piece


def _padded(length: int, bucket: int) -> int:
    return -(-length // bucket) * bucket
