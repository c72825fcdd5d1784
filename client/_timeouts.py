"""How long a call may take, as a setting (``Timeout``) and as a running clock (``Deadline``)."""

from __future__ import annotations

import math
import numbers
import time
from dataclasses import dataclass

from ._errors import DeadlineExceeded, InvalidRequest

LONGEST = 1e7
"""The longest wait, four months: what gRPC is given cannot hold every number of seconds."""


@dataclass(frozen=True)
class Timeout:
    """Limits of one call, in seconds.

    ``total`` covers everything from the first connection attempt to the last sample, retries included.
    ``connect`` covers reaching a server that is not known to be there yet.
    """

    total: float = 300.0
    connect: float = 3.0

    def __post_init__(self) -> None:
        for name, value in (("total", self.total), ("connect", self.connect)):
            right = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if not right or not math.isfinite(value) or value <= 0:
                raise InvalidRequest(f"{name} timeout must be a number of seconds above 0, got {value!r}")

    @classmethod
    def of(cls, value: Timeout | float) -> Timeout:
        """A ``Timeout`` as it is; a number of seconds as the total."""
        return value if isinstance(value, Timeout) else cls(total=value)


class Deadline:
    """The clock of one call; it starts when it is made."""

    def __init__(self, timeout: Timeout) -> None:
        self.timeout = timeout
        self._end = time.monotonic() + min(timeout.total, LONGEST)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._end - time.monotonic())

    def left(self) -> float:
        """Seconds left, above 0.

        Raises:
            DeadlineExceeded: none are left.
        """
        remaining = self.remaining()
        if remaining <= 0:
            raise self.exceeded()
        return remaining

    def exceeded(self) -> DeadlineExceeded:
        """The error for this call when its time is up."""
        return DeadlineExceeded(
            f"no complete answer within {self.timeout.total:g} s: allow more time or send a shorter text"
        )
