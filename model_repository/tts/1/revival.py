"""Loads models anew whose process has died: once for all who meet it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from model_control import Control, ControlError, NotManaged, Observer, VoiceUnavailable

# A model that was loaded anew less than this ago is not loaded again, whether that helped or not.
REVIVED_SECONDS = 2.0
# How often one who waits looks whether he still should.
CHECK_SECONDS = 0.1


@dataclass
class _Revival:
    """A model that is being loaded anew, or when it was, and why it could not be."""

    running: bool = False
    ended: float | None = None
    failure: str | None = None


class Reviver:
    """Unloads and loads models on threads of its own; thread-safe."""

    def __init__(self, control: Control, clock: Callable[[], float], observer: Observer) -> None:
        self._control = control
        self._clock = clock
        self._observer = observer
        self._revivals: dict[str, _Revival] = {}
        self._changed = threading.Condition()

    def revive(self, model: str, since: float, check: Callable[[], None]) -> None:
        """Return once the model has been loaded anew after `since`, when the call began that found it dead.

        Those who met one dead process notice it seconds apart, and the late ones find it already revived.
        Raises `VoiceUnavailable`, and what `check` raises, which is asked again and again meanwhile.
        """
        begun = False
        while True:
            with self._changed:
                revival = self._revivals.setdefault(model, _Revival())
                if not revival.running:
                    ended = revival.ended
                    known = ended is not None and (ended > since or self._clock() - ended < REVIVED_SECONDS)
                    if begun or known:
                        if revival.failure is not None:
                            raise VoiceUnavailable(revival.failure)
                        return
                    threading.Thread(target=self._work, args=(model, revival), name="revive", daemon=True).start()
                    revival.running = True
                begun = True
                self._changed.wait(CHECK_SECONDS)
            check()

    def _work(self, model: str, revival: _Revival) -> None:
        failure = None
        try:
            self._control.unload(model)
            self._control.load(model)
            self._observer.revived(model)
        except NotManaged:
            failure = f"{model} has stopped and this server restarts no model: ask its operator to restart it"
        except ControlError as error:
            failure = f"{model} has stopped and cannot be restarted: {error}"
        except Exception as error:  # whoever waits must hear of it, whatever it is
            failure = f"{model} has stopped and cannot be restarted: {error!r}"
        with self._changed:
            revival.running, revival.ended, revival.failure = False, self._clock(), failure
            self._changed.notify_all()
