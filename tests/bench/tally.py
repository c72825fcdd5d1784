"""What came of the requests of a long run."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from bench.figures import Spread
from bench.workload import Done

# So many unexpected ends are told in full; all are counted.
MOST_TOLD = 100
# The newest latencies of a kind, so that a long run takes no more memory than a short one.
MOST_LATENCIES = 20_000


@dataclass(frozen=True)
class Unexpected:
    """A request that did not end as it had to: when, in seconds from the start, and the error."""

    seconds: float
    kind: str
    error: str


class Tally:
    """Counts by kind of request. Any thread may add."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: dict[str, Counter[str]] = defaultdict(Counter)
        self._latencies: dict[str, list[float]] = defaultdict(list)
        self._notices: Counter[str] = Counter()
        self._unexpected: list[Unexpected] = []
        self.audio = 0.0
        self.requests = 0
        self.failures = 0

    def add(self, kind: str, seconds: float, done: Done) -> None:
        """A request that ended as it had to, after `seconds`."""
        with self._lock:
            self.requests += 1
            self.audio += done.audio
            self._outcomes[kind][done.outcome] += 1
            self._notices.update(done.notices)
            latencies = self._latencies[kind]
            latencies.append(seconds)
            if len(latencies) > MOST_LATENCIES:
                del latencies[: MOST_LATENCIES // 2]

    def fail(self, kind: str, when: float, error: BaseException) -> None:
        """A request that did not."""
        with self._lock:
            self.requests += 1
            self.failures += 1
            self._outcomes[kind][type(error).__name__] += 1
            if len(self._unexpected) < MOST_TOLD:
                self._unexpected.append(Unexpected(round(when, 1), kind, f"{type(error).__name__}: {error}"))

    @property
    def unexpected(self) -> list[Unexpected]:
        """The first of them."""
        with self._lock:
            return list(self._unexpected)

    def kinds(self) -> dict[str, dict[str, Any]]:
        """Outcomes and latencies of each kind."""
        with self._lock:
            return {
                kind: {"outcomes": dict(counts.most_common()), "seconds": Spread.of(self._latencies[kind])}
                for kind, counts in sorted(self._outcomes.items())
            }

    def outcomes(self) -> dict[str, dict[str, int]]:
        """The counts alone."""
        with self._lock:
            return {kind: dict(counts) for kind, counts in sorted(self._outcomes.items())}

    def notices(self) -> dict[str, int]:
        """How often each kind of notice came."""
        with self._lock:
            return dict(self._notices.most_common())
