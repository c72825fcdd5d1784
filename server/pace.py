"""How fast a server may be restarted, and when to stop trying."""

from __future__ import annotations

from collections import deque

WINDOW = 60.0  # seconds that a restart is remembered
FREE = 3  # restarts within the window that need not wait
LONGEST = 5.0  # seconds


class Pace:
    """Spaces restarts out: the first few at once, then after 1, 2, 4, 5, 5 … seconds while they keep coming."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self._cause = ""
        self._failures = 0

    def pause(self, now: float) -> float:
        """Seconds to wait before the restart that is wanted ``now``."""
        while self._recent and self._recent[0] < now - WINDOW:
            self._recent.popleft()
        crowd = len(self._recent) - FREE
        self._recent.append(now)
        return min(LONGEST, 2.0**crowd) if crowd >= 0 else 0.0

    def failed(self, cause: str) -> int:
        """Counts a start that failed; gives how many in a row did so for this cause."""
        self._failures = self._failures + 1 if cause == self._cause else 1
        self._cause = cause
        return self._failures

    def started(self) -> None:
        """A start succeeded: the failures before it are forgotten."""
        self._cause, self._failures = "", 0
