"""When to try again: a few times, and within the deadline."""

from __future__ import annotations

import random
import time

from ._errors import ConnectTimeout, ServiceUnavailable
from ._timeouts import Deadline

ATTEMPTS = 4
FIRST_PAUSE = 0.2
DOUBLINGS = 3
RECOVERY = 30.0
"""Seconds for which a request that was under way waits for its server, or another, to be there again."""


class Pauses:
    """Counts the attempts of one call and says how long to wait before the next.

    Attributes:
        patience: seconds for which it is tried again, however often that is; 0 for ``ATTEMPTS`` in all.
    """

    def __init__(self, deadline: Deadline) -> None:
        self.patience = 0.0
        self._deadline = deadline
        self._failed = 0
        self._since: float | None = None

    def after(self, error: ServiceUnavailable) -> float:
        """Seconds before the next attempt.

        What the server asks for, or else exponential; with jitter, so that clients do not come in step.

        Raises:
            ServiceUnavailable: ``error`` itself, when another attempt is not worth it.
        """
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        self._failed += 1
        if now - self._since >= self.patience and (self._failed >= ATTEMPTS or isinstance(error, ConnectTimeout)):
            raise error
        pause: float
        if error.retry_after is None:
            pause = FIRST_PAUSE * 2 ** min(self._failed - 1, DOUBLINGS) * random.uniform(0.5, 1.0)
        else:
            pause = error.retry_after * random.uniform(1.0, 1.2)
        if pause >= self._deadline.remaining():
            raise error
        return pause
