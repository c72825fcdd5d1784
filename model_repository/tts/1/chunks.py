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

# How much longer each of the first windows is than the one before. Two are vocoded at once: a vocoder that is four
# times as fast as speech has made the next one before this one has been heard.
_GROWTH = 4


@dataclass(frozen=True)
class Window:
    """Frames `start` to `stop` go in; of what comes out, `skip` frames are dropped and the next `keep` are used."""

    start: int
    stop: int
    skip: int
    keep: int


@dataclass(frozen=True)
class ChunkSizes:
    """Frames that the first window of a request gives at least, and that any window gives at most (about).

    Every window's length is a multiple of `step`, besides the voice's bucket.
    """

    first: int
    largest: int
    step: int = 1


# Waits until a spectrogram has so many frames, or all that it will have: how many there are, and whether that is all.
Reach = Callable[[int], tuple[int, bool]]


def windows(reach: Reach, sizes: ChunkSizes, *, lead: int, tail: int, bucket: int, begins: bool) -> Iterator[Window]:
    """The windows of a clause, in order and without gap.

    `begins` says that the request has not been heard yet: its first windows are small and grow, the others are as large
    as they may be. While the clause's spectrogram is still growing they are no larger than it is, and end before it.
    """
    bucket = _padded(bucket, sizes.step)
    at = 0
    size = sizes.first if begins else sizes.largest
    while True:
        left = min(at, lead)
        there, whole = reach(at - left + needed(sizes, left + tail, bucket))
        if at >= there:
            return
        length = _padded(left + size + tail, bucket)
        if not whole and at - left + length >= there:
            length = (there - 1 - (at - left)) // bucket * bucket
        keep = length - left - tail
        if whole and there - at <= keep + min(keep, lead):
            # A last window of a few frames would cost as much as its context: it joins this one.
            keep = there - at
            length = _padded(left + keep + tail, bucket)
        yield Window(at - left, at - left + length, left, keep)
        at += keep
        size = min(_GROWTH * size, sizes.largest)


def needed(sizes: ChunkSizes, context: int, bucket: int) -> int:
    """Frames that a growing spectrogram must have for a window with so many frames of context.

    Half as many as a first window gives are worth their context; one more is left for a last window, which is known to
    be the last.
    """
    return _padded(-(-sizes.first // 2) + context, _padded(bucket, sizes.step)) + 1


def cut(mel: Mel, window: Window) -> Mel:
    """The window's frames of mel [1, M, bands]; beyond the end, the last frame again."""
    piece = mel[:, window.start : window.stop]
    missing = window.stop - window.start - piece.shape[1]
    if missing:
        piece = np.concatenate([piece, np.repeat(mel[:, -1:], missing, axis=1)], axis=1)
    return piece


def _padded(length: int, bucket: int) -> int:
    return -(-length // bucket) * bucket
