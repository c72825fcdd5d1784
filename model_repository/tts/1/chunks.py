"""Which frames of a mel spectrogram go through the vocoder at once.

A vocoder's sample depends on at most `lead` frames before its own and `tail` frames after it. A window therefore
carries that many frames more than it is asked for, and what it gives in the middle is what the whole clause would have
given there. Every window fills whole buckets, so that the batcher finds equal shapes.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    """Frames that the first window of a request gives at least, and that any window gives at most (about)."""

    first: int
    largest: int


def windows(frames: int, sizes: ChunkSizes, *, lead: int, tail: int, bucket: int, begins: bool) -> Iterator[Window]:
    """The windows of a clause of `frames` frames, in order and without gap.

    `begins` says that the request has not been heard yet: its first windows are small and grow, the others are as large
    as they may be.
    """
    at = 0
    size = sizes.first if begins else sizes.largest
    while at < frames:
        left = min(at, lead)
        length = _padded(left + size + tail, bucket)
        keep = length - left - tail
        if frames - at <= keep + min(keep, lead):
            # A last window of a few frames would cost as much as its context: it joins this one.
            keep = frames - at
            length = _padded(left + keep + tail, bucket)
        yield Window(at - left, at - left + length, left, keep)
        at += keep
        size = min(_GROWTH * size, sizes.largest)


def cut(mel: Mel, window: Window) -> Mel:
    """The window's frames of mel [1, M, bands]; beyond the end, the last frame again."""
    piece = mel[:, window.start : window.stop]
    missing = window.stop - window.start - piece.shape[1]
    if missing:
        piece = np.concatenate([piece, np.repeat(mel[:, -1:], missing, axis=1)], axis=1)
    return piece


def _padded(length: int, bucket: int) -> int:
    return -(-length // bucket) * bucket
