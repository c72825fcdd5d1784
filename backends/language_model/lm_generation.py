"""One request's generation, from its prompt to the reason for its end."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np

# Why there are no more codes.
STOP, LENGTH, ABORT = "stop", "length", "abort"


class RefusedError(Exception):
    """A request that cannot be served, and gRPC's name of the status that says why."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Bounds:
    """At least and at most so many new codes; an answer with fewer than `every` waits for more."""

    least: int
    most: int
    every: int = 1


@dataclass
class Generation:
    """What is generated after `prompt`, ids of the graph; `prompt_codes` are those among them that are codes.

    The scheduler's thread adds codes, another one takes them. `asked` is when somebody last asked for it.
    """

    prompt: tuple[int, ...]
    prompt_codes: tuple[int, ...]
    bounds: Bounds
    rng: np.random.Generator
    asked: float
    codes: list[int] = field(default_factory=list)
    end: str = ""
    failure: str = ""
    given_up: bool = False
    _given: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return bool(self.end or self.failure)

    def add(self, code: int | None) -> None:
        """Take note of what was drawn: a code, or None for an end."""
        with self._lock:
            if code is None:
                self.end = STOP
                return
            self.codes.append(code)
            if len(self.codes) >= self.bounds.most:
                self.end = LENGTH

    def fail(self, reason: str) -> None:
        """It cannot go on, unless it is over already."""
        with self._lock:
            self.failure = "" if self.end else reason

    def abort(self) -> None:
        """Nobody wants the rest."""
        self.given_up = True

    def ended(self) -> None:
        """It was given up, and is no more computed."""
        with self._lock:
            self.end = self.end or ABORT

    def take(self) -> tuple[list[int], str]:
        """The codes since the last time, and the reason for the end if these are the last."""
        with self._lock:
            fresh = self.codes[self._given :]
            if not self.over and len(fresh) < self.bounds.every:
                return [], ""
            self._given = len(self.codes)
            return fresh, self.end
