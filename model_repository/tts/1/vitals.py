"""Which models were found dead and have not answered since."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Vitals:
    """Tells `tell` of each model when it is found dead (True) and when it answers again (False). Thread-safe."""

    def __init__(self, tell: Callable[[str, bool], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        # Each dead model, and the one that was called when that showed: of some, no more than that is ever called.
        self._dead: dict[str, str] = {}

    def died(self, model: str, through: str) -> None:
        """A call of `through` has found `model` dead, which may be the same."""
        with self._lock:
            self._dead[model] = through
            self._tell(model, True)

    def answered(self, model: str) -> None:
        """A call of `model` has succeeded: it lives, and so does what it could not do without."""
        if not self._dead:  # as always; every call comes by here
            return
        with self._lock:
            for other in [dead for dead, through in self._dead.items() if model in (dead, through)]:
                del self._dead[other]
                self._tell(other, False)
