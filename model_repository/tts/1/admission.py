"""Bounds what runs and what waits, and refuses the rest at once.

First come, first served. A request that could only start after its deadline is refused when it arrives; one whose
deadline passes, or whose client leaves, while it waits is dropped and never runs.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

# What the waits of `Snapshot.mean_wait` are averaged over.
WAIT_WINDOW_SECONDS = 10.0
# The weight of the newest request in the running mean of service times.
NEWEST = 0.2
# What a first request is taken to last, before any has ended.
FIRST_GUESS_SECONDS = 1.0
# Nobody is told to stay away for longer: the mean may come from a few books.
LONGEST_RETRY_SECONDS = 60


class Ticket(Protocol):
    """One request, as the admission sees it. Its methods may be called from any thread and must not block."""

    @property
    def arrived(self) -> float:
        """When it came, in seconds of the admission's clock."""

    @property
    def deadline(self) -> float | None:
        """When it must have started, in seconds of the admission's clock; None is never too late."""

    def cancelled(self) -> bool:
        """Whether its client has left."""

    def run(self) -> None:
        """Do the work and end the request; called on the pool. However it ends, `Admission.finished` must be called."""

    def refuse(self, code: str, message: str) -> None:
        """End the request without having run; `code` is gRPC's name of the status.

        CANCELLED is said to a client that has left: nothing is to be sent, only to be ended.
        """


@dataclass(frozen=True)
class Snapshot:
    """The state at one moment. Times are in seconds.

    `oldest_wait` is how long the head of the queue has waited, 0 without a queue; `mean_wait` is the mean wait of the
    requests started in the last `WAIT_WINDOW_SECONDS`, `mean_service` the running mean of how long one lasts.
    """

    in_flight: int
    waiting: int
    oldest_wait: float
    mean_wait: float
    mean_service: float


class Admission:
    """Starts tickets on `pool`, at most `limit` at once, and lets `waiting` more wait.

    `pool` needs `limit` workers. No method blocks and none calls a ticket while it holds the lock.
    """

    def __init__(self, limit: int, waiting: int, pool: Executor, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._bound = waiting
        self._pool = pool
        self._clock = clock
        self._lock = threading.Lock()
        # By identity, so that one in the middle can leave; in order of arrival.
        self._queue: OrderedDict[int, Ticket] = OrderedDict()
        self._in_flight = 0
        self._starting = False
        self._closed: tuple[str, float] | None = None
        self._service = FIRST_GUESS_SECONDS
        self._measured = False
        self._waits: deque[tuple[float, float]] = deque()

    def submit(self, ticket: Ticket) -> None:
        """Start the ticket, queue it, or refuse it before this returns."""
        with self._lock:
            refusal = self._refusal(ticket)
            if refusal is None:
                self._queue[id(ticket)] = ticket
        if refusal is not None:
            ticket.refuse(*refusal)
        else:
            self._start_next()

    def finished(self, seconds: float) -> None:
        """A ticket that was run has ended after `seconds`: its place is free."""
        with self._lock:
            if not self._in_flight:
                raise RuntimeError("no request is in flight: finished() was called twice for one")
            self._in_flight -= 1
            self._service = seconds if not self._measured else self._service + NEWEST * (seconds - self._service)
            self._measured = True
        self._start_next()

    def set_limit(self, limit: int) -> None:
        """Run at most `limit` (1 or more) at once from now on; what already runs is left to end."""
        if limit < 1:
            raise ValueError(f"the limit must be 1 or more, got {limit}")
        with self._lock:
            self._limit = limit
        self._start_next()

    def close(self, reason: str, retry_seconds: float = 5.0) -> None:
        """Refuse what waits and whatever comes, because of `reason`; what runs is left to end."""
        with self._lock:
            self._closed = (reason, retry_seconds)
            dropped = list(self._queue.values())
            self._queue.clear()
            message = self._closed_message(reason, retry_seconds)
        for ticket in dropped:
            ticket.refuse("UNAVAILABLE", message)

    def open(self) -> None:
        """Take requests again."""
        with self._lock:
            self._closed = None

    def sweep(self) -> None:
        """Drop waiting tickets whose client has left or whose deadline has passed; to be called every 0.1 s or so."""
        with self._lock:
            waiting = list(self._queue.values())
        # Asking a ticket may take a message to the server, so the lock is not held meanwhile.
        lost = [(ticket, loss) for ticket in waiting if (loss := self._loss(ticket)) is not None]
        for ticket, loss in lost:
            with self._lock:
                waits = self._queue.pop(id(ticket), None) is not None
            if waits:  # and was neither started nor refused in the meantime
                ticket.refuse(*loss)
        self._start_next()

    def snapshot(self) -> Snapshot:
        """The state now."""
        now = self._clock()
        with self._lock:
            self._forget_waits(now)
            waits = [wait for _, wait in self._waits]
            oldest = max(0.0, now - next(iter(self._queue.values())).arrived) if self._queue else 0.0
            mean = sum(waits) / len(waits) if waits else 0.0
            return Snapshot(self._in_flight, len(self._queue), oldest, mean, self._service)

    def _start_next(self) -> None:
        """Start from the head of the queue whatever there is room for.

        One thread does this at a time, so that tickets reach the pool in their order; another that comes meanwhile
        leaves it to the first, which looks again before it stops.
        """
        with self._lock:
            if self._starting:
                return
            self._starting = True
        try:
            while (ticket := self._take()) is not None:
                self._start(ticket)
        except BaseException:
            # A ticket that raises is the caller's defect; it must not keep all others from ever being started.
            with self._lock:
                self._starting = False
            raise

    def _start(self, ticket: Ticket) -> None:
        """Hand a ticket that has a place to the pool, or give the place back and refuse it."""
        started = False
        try:
            loss = self._loss(ticket)
            if loss is None:
                try:
                    self._pool.submit(ticket.run)
                    started = True
                except RuntimeError:
                    loss = ("UNAVAILABLE", "the server is stopping; try again later")
        finally:
            if not started:
                with self._lock:
                    self._in_flight -= 1
        if loss is not None:
            ticket.refuse(*loss)

    def _take(self) -> Ticket | None:
        """The next ticket with a place taken for it; None, and nobody is starting any more, when there is none."""
        now = self._clock()
        with self._lock:
            if not self._queue or self._in_flight >= self._limit:
                self._starting = False
                return None
            _, ticket = self._queue.popitem(last=False)
            self._in_flight += 1
            self._waits.append((now, max(0.0, now - ticket.arrived)))
            self._forget_waits(now)
            return ticket

    def _loss(self, ticket: Ticket) -> tuple[str, str] | None:
        """Why a ticket must not run any more, as code and message."""
        if ticket.cancelled():
            return "CANCELLED", "the client has left"
        if ticket.deadline is not None and self._clock() >= ticket.deadline:
            waited = max(0.0, self._clock() - ticket.arrived)
            return "DEADLINE_EXCEEDED", f"the request's deadline passed after {waited:.1f} s of waiting for its turn"
        return None

    def _refusal(self, ticket: Ticket) -> tuple[str, str] | None:
        """Why a new ticket is not taken, as code and message; with the lock held."""
        if self._closed is not None:
            return "UNAVAILABLE", self._closed_message(*self._closed)
        waiting = len(self._queue)
        # Those at the head for whom there is room are as good as started.
        ahead = waiting - max(0, self._limit - self._in_flight)
        if ahead < 0:
            return None
        retry = self._retry_seconds(ahead + 1)
        load = f"overloaded: {self._in_flight} requests run and {waiting} wait"
        if ahead >= self._bound:
            return "UNAVAILABLE", f"{load}; retry after {retry} s"
        expected = self._clock() + (ahead + 1) * self._service / self._limit
        if self._measured and ticket.deadline is not None and expected > ticket.deadline:
            return "UNAVAILABLE", f"{load}, this one could not start before its deadline; retry after {retry} s"
        return None

    def _retry_seconds(self, places: int) -> int:
        """Whole seconds until `places` requests have probably started."""
        return min(LONGEST_RETRY_SECONDS, max(1, math.ceil(places * self._service / self._limit)))

    @staticmethod
    def _closed_message(reason: str, retry_seconds: float) -> str:
        return f"overloaded: {reason}; retry after {max(1, math.ceil(retry_seconds))} s"

    def _forget_waits(self, now: float) -> None:
        while self._waits and now - self._waits[0][0] > WAIT_WINDOW_SECONDS:
            self._waits.popleft()
