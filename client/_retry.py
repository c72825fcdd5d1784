"""When to try again: what the server has not begun to speak, a few times, and within the deadline."""

from __future__ import annotations

import random

from ._errors import ConnectTimeout, ServiceUnavailable
from ._timeouts import Deadline

ATTEMPTS = 4
FIRST_PAUSE = 0.2


class Pauses:
    """Counts the attempts of one call and says how long to wait before the next."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._failed = 0

    def after(self, error: ServiceUnavailable, *, spoken: bool = False) -> float:
        """Seconds before the next attempt.

        What the server asks for, or else exponential; with jitter, so that clients do not come in step.
        ``spoken`` says that audio had arrived before the error.

        Raises:
            ServiceUnavailable: ``error`` itself, when another attempt is not safe or not worth it.
        """
        self._failed += 1
        if spoken or isinstance(error, ConnectTimeout) or self._failed >= ATTEMPTS:
            raise error
        pause: float
        if error.retry_after is None:
            pause = FIRST_PAUSE * 2 ** (self._failed - 1) * random.uniform(0.5, 1.0)
        else:
            pause = error.retry_after * random.uniform(1.0, 1.2)
        if pause >= self._deadline.remaining():
            raise error
        return pause
