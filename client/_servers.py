"""Which of several servers a request goes to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ._errors import ServerUnreachable, ServiceUnavailable

FIRST_REST = 0.5
LONGEST_REST = 8.0


@dataclass
class _Server:
    """``under_way`` requests run there; ``turn`` is when it was last chosen, by counting."""

    under_way: int = 0
    turn: int = 0
    failures: int = 0
    rests_until: float = 0.0


class Servers:
    """The servers of one client and how they do. Safe to use from several threads.

    They are chosen in turn, those with the fewest requests under way first, so that a slow one gets less. One that
    failed rests: it is chosen only where there is no other, and after its rest by one request first.
    """

    def __init__(self, addresses: Sequence[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._turn = 0
        self._known: dict[str, _Server] = {address: _Server() for address in addresses}
        self._gone: dict[str, _Server] = {}

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those that requests may go to."""
        return tuple(self._known)

    def replace(self, addresses: Sequence[str]) -> None:
        """From now on these; what is under way at another one goes on there."""
        with self._lock:
            before = {**self._known, **self._gone}
            self._known = {address: before.get(address) or _Server() for address in addresses}
            self._gone = {address: server for address, server in before.items() if address not in self._known}

    def left(self) -> list[str]:
        """Those that are no servers any more and have nothing under way; each is told once."""
        with self._lock:
            idle = [address for address, server in self._gone.items() if not server.under_way]
            for address in idle:
                del self._gone[address]
            return idle

    def begin(self, tried: Collection[str]) -> str | None:
        """The address for a request that ``tried`` have refused, which counts as under way there until ``end``.

        ``None``: no other is worth a try now.
        """
        with self._lock:
            now = self._clock()
            others = [(address, server) for address, server in self._known.items() if address not in tried]
            well = [(address, server) for address, server in others if server.rests_until <= now]
            if well:
                address, server = min(well, key=lambda item: (item[1].under_way, item[1].turn))
            elif others and not tried:
                address, server = min(others, key=lambda item: item[1].rests_until)
            else:
                return None
            if server.failures:  # the others wait for what becomes of this request
                server.rests_until = now + _rest(server.failures)
            self._turn += 1
            server.turn = self._turn
            server.under_way += 1
            return address

    def end(self, address: str) -> None:
        """A request is not under way there any more."""
        with self._lock:
            server = self._known.get(address) or self._gone.get(address)
            if server is not None:
                server.under_way -= 1

    def answered(self, address: str) -> None:
        """It works."""
        with self._lock:
            server = self._known.get(address)
            if server is not None and server.failures:
                server.failures, server.rests_until = 0, 0.0

    def failed(self, address: str, error: ServiceUnavailable) -> None:
        """It could not answer, or not to the end."""
        with self._lock:
            server = self._known.get(address)
            if server is None:
                return
            server.failures += 1
            rest = _rest(server.failures if isinstance(error, ServerUnreachable) else 1)
            # A server that is only busy says itself for how long.
            if error.retry_after is not None:
                rest = min(error.retry_after, LONGEST_REST)
            server.rests_until = self._clock() + rest


def _rest(failures: int) -> float:
    return float(min(FIRST_REST * 2 ** min(failures - 1, 10), LONGEST_REST))
