"""A mel spectrogram that is vocoded while it is still being made."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from chunks import Mel, Window, cut
from errors import CancelledError

# How often one who waits for frames looks whether he still should.
CHECK_SECONDS = 0.1


class GrowingMel:
    """Frames [1, M, bands] of which one thread makes more while others use what there is. Thread-safe.

    `check` raises when the request is to end; it is asked while somebody waits.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._mel: Mel | None = None
        self._whole = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def add(self, mel: Mel) -> None:
        """More frames, [1, m, bands]."""
        with self._changed:
            self._mel = mel if self._mel is None else np.concatenate([self._mel, mel], axis=1)
            self._changed.notify_all()

    def finish(self) -> None:
        """There are no more."""
        with self._changed:
            self._whole = True
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """There will be no more, because of an error that all get who wait for them."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody needs any more of it."""
        self.fail(CancelledError())

    @property
    def total(self) -> int | None:
        """How many frames it has, once that is known."""
        with self._changed:
            return self._frames() if self._whole else None

    @property
    def reached(self) -> int:
        """How many frames there are."""
        with self._changed:
            return self._frames()

    def reach(self, frames: int) -> tuple[int, bool]:
        """Wait for so many frames, or all: how many there are, and whether that is all.

        Raises what the maker failed with, and what `check` raises.
        """
        while True:
            with self._changed:
                if self._error is not None:
                    raise self._error
                if self._whole or self._frames() >= frames:
                    return self._frames(), self._whole
                self._changed.wait(CHECK_SECONDS)
            self._check()

    def cut(self, window: Window) -> Mel:
        """A window's frames; beyond the end, the last frame again. Only of frames that were reached."""
        with self._changed:
            mel = self._mel
        assert mel is not None, "no window is of frames that are not there"
        return cut(mel, window)

    def _frames(self) -> int:
        return 0 if self._mel is None else self._mel.shape[1]
