"""Gives the memory of a peak back to the system.

A stage runs without ONNX Runtime's arena (`enable_mem_arena` 0), which would keep the most that any request ever
needed. Its tensors then come from the C library's heap, and that keeps what is freed in its middle until it is asked to
return it.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any

# glibc's numbers of these options, and values that spare small runs the page faults of memory that comes and goes:
# tensors up to 32 MiB (the most that can be set) live in the heap, and up to 64 MiB stay at its end for the next run.
_M_TRIM_THRESHOLD, _TRIM_BYTES = -1, 64 << 20
_M_MMAP_THRESHOLD, _MMAP_BYTES = -3, 32 << 20

IDLE_SECONDS = 2.0


class Heap:
    """The C library's heap, trimmed when nothing has used it for a while. Without glibc it does nothing."""

    def __init__(self, library: Any = None, idle_seconds: float = IDLE_SECONDS) -> None:
        self._library = library or ctypes.CDLL(None)
        self._idle = idle_seconds
        self._event = threading.Event()
        self._closed = False
        self._watcher: threading.Thread | None = None
        if hasattr(self._library, "mallopt") and hasattr(self._library, "malloc_trim"):
            self._library.mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
            self._library.mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
            self._watcher = threading.Thread(target=self._watch, name="heap", daemon=True)
            self._watcher.start()

    def used(self) -> None:
        """Say that something has been computed."""
        self._event.set()

    def close(self) -> None:
        """End the watcher."""
        self._closed = True
        self._event.set()
        if self._watcher is not None:
            self._watcher.join()

    def _watch(self) -> None:
        while True:
            self._event.wait()
            while self._event.is_set() and not self._closed:
                self._event.clear()
                self._event.wait(self._idle)
            if self._closed:
                return
            self._library.malloc_trim(0)
