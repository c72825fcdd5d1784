"""Between the service, which is fast, and a reader that takes its time, such as a player."""

from __future__ import annotations

import os
import tempfile
import threading

from .._errors import DiskFull, OutputError, ServiceError

_PIECE = 1 << 14  # what the reader gets at once: a third of a second
_MEMORY = 8 << 20  # beyond it what waits for the reader lies on disk


class ReaderGone(ServiceError):
    """Nobody takes the audio any more."""


class Pump:
    """Writes what it is given to a file descriptor, on a thread of its own.

    The request ends as soon as its audio is there, however slowly that is played: a server should not keep a request
    for a reader, nor should the request's deadline be the player's.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self._spool = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115 - closed when the thread ends
        self._changed = threading.Condition()
        self._given = self._taken = 0
        self._ended = False
        self._error: OSError | None = None
        # A reader may never take the last piece: the thread must not keep the program alive.
        self._thread = threading.Thread(target=self._work, name="pump", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Hand over ``data``; never waits for the reader.

        Raises:
            ReaderGone: the reader is.
            DiskFull: there is no room for what waits for the reader.
            OutputError: the descriptor cannot be written.
        """
        with self._changed:
            self._check()
            try:
                self._spool.seek(self._given)
                self._spool.write(data)
            except OSError as error:
                raise DiskFull(f"{tempfile.gettempdir()}: no room to keep audio ({error.strerror})") from None
            self._given += len(data)
            self._changed.notify_all()

    def finish(self, patience: float) -> None:
        """Wait until the reader has taken everything.

        Args:
            patience: seconds to wait while it takes nothing at all.

        Raises:
            ReaderGone: it is gone, or took nothing for that long.
            OutputError: the descriptor cannot be written.
        """
        with self._changed:
            while self._taken < self._given:
                before = self._taken
                moved = self._changed.wait_for(lambda: self._taken > before or self._error is not None, patience)  # noqa: B023
                self._check()
                if not moved:
                    raise ReaderGone(f"{self._name}: its reader has taken nothing for {patience:g} s")
            self._check()
        self.stop()

    def stop(self) -> None:
        """Give the reader nothing more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def join(self) -> None:
        """Wait until the descriptor is not used any more: after ``stop``, when its reader has gone or goes on."""
        self._thread.join()

    def _check(self) -> None:
        error = self._error
        if error is None:
            return
        if isinstance(error, BrokenPipeError):
            raise ReaderGone(f"{self._name}: its reader went away before the end")
        kind = DiskFull if error.errno in DiskFull.ERRNOS else OutputError
        raise kind(f"{self._name}: cannot be written ({error.strerror})")

    def _work(self) -> None:
        with self._spool:
            while data := self._next():
                try:
                    written = os.write(self._descriptor, data)
                except OSError as error:
                    with self._changed:
                        self._error = error
                        self._changed.notify_all()
                    return
                with self._changed:
                    self._taken += written
                    self._changed.notify_all()

    def _next(self) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._given > self._taken or self._ended)
            if self._ended:
                return b""
            self._spool.seek(self._taken)
            return self._spool.read(min(_PIECE, self._given - self._taken))
