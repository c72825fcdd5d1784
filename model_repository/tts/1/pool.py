"""Loads a voice when it is first asked for and unloads those that nobody uses.

Loading and unloading take long and go through `Control`; the lock is never held meanwhile. A voice in use is never
unloaded, whatever the memory. On a server that does not let models be loaded on demand, nothing is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from model_control import Control, ControlError, NotManaged, Observer, Reason, VoiceUnavailable
from revival import CHECK_SECONDS, Reviver
from settings import Settings

# For how long a voice that could not be loaded is not tried again.
FAILURE_SECONDS = 5.0
# For how long models that were found ready are taken to be; they can be unloaded by others.
VERIFIED_SECONDS = 1.0
# Memory may be short for long: a voice that is used now and then must not be loaded anew for every request.
SHORT_IDLE_SECONDS = 2.0

State = Literal["absent", "loading", "ready", "unloading", "failed"]


@dataclass(frozen=True)
class VoiceState:
    """One voice at one moment; `idle` is how many seconds nobody has used it, 0 while somebody does."""

    voice: str
    state: State
    users: int
    idle: float
    models: tuple[str, ...]


@dataclass
class _Voice:
    """What is known of a voice; `models` are those that are loaded, `unseen` those that may be.

    Whoever makes it loading or unloading is the only one to touch its models until it is neither.
    """

    state: State = "absent"
    users: int = 0
    last_use: float = 0.0
    models: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    verified: float | None = None
    failure: tuple[float, str] | None = None

    @property
    def busy(self) -> bool:
        return self.state in ("loading", "unloading")


class VoicePool:
    """Counts the users of each voice. Thread-safe."""

    def __init__(self, control: Control, settings: Settings, clock: Callable[[], float], observer: Observer) -> None:
        self._control = control
        self._settings = settings
        self._clock = clock
        self._observer = observer
        self._reviver = Reviver(control, clock, observer)
        self._voices: dict[str, _Voice] = {}
        self._managed = True
        self._changed = threading.Condition()

    def adopt(self, voice: str, stages: Sequence[str]) -> None:
        """Make a voice known that the server may have loaded at its start; the next tick looks."""
        with self._changed:
            self._voices.setdefault(voice, _Voice()).unseen = _models(voice, stages)

    @contextmanager
    def use(self, voice: str, stages: Sequence[str], check: Callable[[], None]) -> Iterator[None]:
        """Hold a voice while it is spoken with; `stages` are the roles of all its models.

        What is not loaded is, once for all who ask. Raises `VoiceUnavailable`, and what `check` raises, which is asked
        again and again while this waits.
        """
        with self._changed:
            record = self._voices.setdefault(voice, _Voice())
            record.users += 1
        try:
            self._provide(voice, record, _models(voice, stages), check)
            yield
        finally:
            with self._changed:
                record.users -= 1
                record.last_use = self._clock()

    def tick(self, memory_short: bool) -> None:
        """Unload the least recently used idle voice, if there is a reason to. To be called every second or so.

        Raises `ControlError` when the server did not unload a model; the voice is taken to be gone all the same, since
        its next user looks for himself.
        """
        self._look()
        with self._changed:
            chosen = self._choose(memory_short)
            if chosen is None:
                return
            voice, reason = chosen
            record = self._voices[voice]
            record.state = "unloading"
        problem: ControlError | None = None
        try:
            for model in record.models:
                try:
                    self._control.unload(model)
                except NotManaged as error:
                    problem = error
                    break
                except ControlError as error:
                    problem = error
        finally:
            with self._changed:
                if isinstance(problem, NotManaged):
                    self._managed, record.state = False, "ready"
                else:
                    record.state, record.models, record.verified = "absent", [], None
                self._changed.notify_all()
        if problem is None:
            self._observer.unloaded(voice, reason)
        elif not isinstance(problem, NotManaged):
            raise problem

    def revive(self, model: str, since: float, check: Callable[[], None]) -> None:
        """Load a model anew whose process has died; callers that come together, or late, do it once.

        `since` is when the call began that found it dead.

        Raises `VoiceUnavailable`, and what `check` raises, which is asked again and again while this waits.
        """
        try:
            self._reviver.revive(model, since, check)
        finally:
            with self._changed:
                for record in self._voices.values():
                    if model in record.models:
                        record.verified = None

    def states(self) -> list[VoiceState]:
        """Every voice that was ever asked for or adopted."""
        with self._changed:
            now = self._clock()
            return [
                VoiceState(
                    name,
                    record.state,
                    record.users,
                    0.0 if record.users else now - record.last_use,
                    tuple(record.models),
                )
                for name, record in self._voices.items()
            ]

    def _provide(self, voice: str, record: _Voice, models: list[str], check: Callable[[], None]) -> None:
        """Return once the models are there. Loading is left to a thread of its own: no request outlives its time."""
        while True:
            with self._changed:
                now = self._clock()
                fresh = record.verified is not None and now - record.verified < VERIFIED_SECONDS
                if record.state != "unloading" and fresh and set(models) <= set(record.models):
                    return
                if not record.busy:
                    if record.failure is not None and now - record.failure[0] < FAILURE_SECONDS:
                        raise VoiceUnavailable(record.failure[1])
                    threading.Thread(target=self._load, args=(voice, record, models), name="load", daemon=True).start()
                    record.state = "loading"
                self._changed.wait(CHECK_SECONDS)
            check()

    def _load(self, voice: str, record: _Voice, models: list[str]) -> None:
        """Load what is missing of a voice that is marked as loading; if that fails, nothing of it stays."""
        there: list[str] = []
        absent: list[str] = []
        loaded = False
        failure: str | None = None
        try:
            absent = [model for model in models if not self._control.ready(model)]
            for model in models:
                # The ensemble, which comes first, may have brought it meanwhile.
                if model in absent and not self._control.ready(model):
                    self._control.load(model)
                    loaded = True
                there.append(model)
            if loaded:
                self._observer.loaded(voice)
        except NotManaged:
            self._managed = False
            failure = f"voice '{voice}' is not loaded and this server loads none on demand: ask its operator for it"
        except ControlError as error:
            failure = f"voice '{voice}' cannot be loaded: {error}"
            there = [model for model in there if model not in absent]
            self._take_back(absent)
        except Exception as error:  # whoever waits must hear of it, whatever it is
            failure = f"voice '{voice}' cannot be loaded: {error!r}"
        with self._changed:
            record.state = "ready" if failure is None else "failed"
            record.models = [*record.models, *(model for model in there if model not in record.models)]
            record.unseen = []
            record.last_use = self._clock()
            record.verified = self._clock() if failure is None else None
            record.failure = None if failure is None else (self._clock(), failure)
            self._changed.notify_all()

    def _take_back(self, models: Sequence[str]) -> None:
        """Unload what an ensemble brought before one of its stages failed: it is of no use alone."""
        for model in models:
            with suppress(ControlError):
                if self._control.ready(model):
                    self._control.unload(model)

    def _look(self) -> None:
        """See which models of adopted voices are there."""
        with self._changed:
            unseen = [record for record in self._voices.values() if record.unseen and not record.busy]
        for record in unseen:
            there = [model for model in record.unseen if self._control.ready(model)]
            with self._changed:
                if record.unseen and not record.busy:
                    record.models, record.unseen = there, []
                    record.state = "ready" if there else "absent"
                    record.last_use = max(record.last_use, self._clock())

    def _choose(self, memory_short: bool) -> tuple[str, Reason] | None:
        """The voice to unload and why; with the lock held."""
        loaded = {name: record for name, record in self._voices.items() if record.models}
        idle = {name: record for name, record in loaded.items() if not record.users and not record.busy}
        if not self._managed or not idle:
            return None
        name = min(idle, key=lambda name: idle[name].last_use)
        seconds = self._clock() - idle[name].last_use
        if 0 < self._settings.idle_unload_seconds <= seconds:
            return name, "idle"
        if 0 < self._settings.max_loaded_voices < len(loaded):
            return name, "count"
        if memory_short and seconds >= SHORT_IDLE_SECONDS:
            return name, "memory"
        return None


def _models(voice: str, stages: Sequence[str]) -> list[str]:
    """The ensemble first, which brings the stages that it is made of."""
    return [voice, *(f"{voice}_{role}" for role in stages)]
