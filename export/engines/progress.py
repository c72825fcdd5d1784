"""How far the building of a plan is, on a terminal; and the way to end it."""

from __future__ import annotations

from typing import TextIO


class Progress:
    """A line that is written over and over: "demo_decoder: 40 %". Silent where `stream` is no terminal.

    Its three methods are called from the builder's threads.
    """

    def __init__(self, label: str, stream: TextIO) -> None:
        self.cancelled = False
        self._label = label
        self._stream = stream if stream.isatty() else None
        self._outermost: tuple[str, int] | None = None

    def start(self, phase: str, steps: int) -> None:
        """A phase begins; the others are inside the first."""
        if self._outermost is None:
            self._outermost = phase, max(1, steps)

    def step(self, phase: str, done: int) -> bool:
        """A step of a phase is done; whether to go on."""
        if self._stream and self._outermost and self._outermost[0] == phase:
            percent = min(100, 100 * (done + 1) // self._outermost[1])
            self._stream.write(f"\r{self._label}: {percent} %")
            self._stream.flush()
        return not self.cancelled

    def finish(self, phase: str) -> None:
        """A phase has ended."""
        if self._outermost and self._outermost[0] == phase:
            self._outermost = None

    def close(self) -> None:
        """Take the line away."""
        if self._stream:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
