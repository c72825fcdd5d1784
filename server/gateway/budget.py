"""How much a token may ask for: requests and characters a minute, and answers at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .errors import GatewayError

MINUTE = 60.0


@dataclass(frozen=True)
class Allowance:
    """What a token may have; None is without limit."""

    requests_per_minute: int | None = None
    characters_per_minute: int | None = None
    concurrent: int | None = None


class Bucket:
    """Fills evenly, as much in a minute as it holds.

    What is larger than the whole bucket is given when it is full, and is a debt then.
    """

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._level = float(size)
        self._seen = clock()

    def take(self, amount: int) -> float:
        """Take ``amount`` and give 0; or take nothing and give the seconds until there is enough."""
        now = self._clock()
        self._level = min(self._size, self._level + (now - self._seen) * self._size / MINUTE)
        self._seen = now
        missing = min(amount, self._size) - self._level
        if missing > 0:
            return missing * MINUTE / self._size
        self._level -= amount
        return 0.0


class Budget:
    """What is left to a token now."""

    def __init__(self, allowance: Allowance, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = allowance.concurrent
        self._requests = _bucket(allowance.requests_per_minute, clock)
        self._characters = _bucket(allowance.characters_per_minute, clock)
        self._speaking = 0

    def request(self) -> None:
        """Count a request.

        Raises:
            GatewayError: there were too many.
        """
        _take(self._requests, 1, "requests", "too many requests a minute")

    @contextmanager
    def speaking(self, characters: int) -> Iterator[None]:
        """The time of an answer that speaks so many characters.

        Raises:
            GatewayError: there were too many, or too many answers are under way.
        """
        if self._most is not None and self._speaking >= self._most:
            raise _limited("concurrent", f"{self._speaking} answers are under way, the most for this token", 1.0)
        _take(self._characters, characters, "tokens", "too many characters a minute")
        self._speaking += 1
        try:
            yield
        finally:
            self._speaking -= 1


def _bucket(size: int | None, clock: Callable[[], float]) -> Bucket | None:
    return None if size is None else Bucket(size, clock)


def _take(bucket: Bucket | None, amount: int, kind: str, what: str) -> None:
    wait = 0.0 if bucket is None else bucket.take(amount)
    if wait > 0:
        raise _limited(kind, f"{what} for this token", wait)


def _limited(kind: str, message: str, wait: float) -> GatewayError:
    return GatewayError(429, message, kind=kind, code="rate_limit_exceeded", retry_after=wait)
