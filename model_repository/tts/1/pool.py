"""Loads a voice when it is first asked for and unloads those that nobody uses.

Loading and unloading take long and go through `Control`; the lock is never held meanwhile. A voice in use is never
unloaded, whatever the memory. On a server that does not let models be loaded on demand, nothing is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from settings import Settings

# For how long a voice that could not be loaded is not tried again.
FAILURE_SECONDS = 5.0
# For how long models that were found ready are taken to be; they can be unloaded by others.
VERIFIED_SECONDS = 1.0
# Memory may be short for long: a voice that is used now and then must not be loaded anew for every request.
SHORT_IDLE_SECONDS = 2.0
# The requests that met one dead process notice it over a second or two; those that are late find it already revived.
REVIVED_SECONDS = 2.0


class ControlError(Exception):
    """The server could not load or unload a model; the message is its reason."""


class NotManaged(ControlError):
    """The server loads all models at its start and none on demand."""


class VoiceUnavailable(Exception):
    """A voice or a model cannot answer now; the message says why and is meant for the client."""


class Control(Protocol):
    """The server's model control. All of it may block."""

    def ready(self, model: str) -> bool:
        """Whether the model answers."""

    def load(self, model: str) -> None:
        """Load a model; of an ensemble its steps, too. Raises `ControlError`."""

    def unload(self, model: str) -> None:
        """Unload a model. Raises `ControlError`."""


Reason = Literal["idle", "memory", "count"]


class Observer(Protocol):
    """Hears what the pool did."""

    def loaded(self, voice: str) -> None:
        """A voice, or a stage of it that was missing, was loaded."""

    def unloaded(self, voice: str, reason: Reason) -> None:
        """A voice was unloaded."""

    def revived(self, model: str) -> None:
        """A model whose process had died was loaded again."""


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
    """What is known of a voice. Whoever sets `busy` is the only one to load or unload it."""

    state: State = "absent"
    users: int = 0
    last_use: float = 0.0
    models: list[str] = field(default_factory=list)
    verified: float | None = None
    failure: tuple[float, str] | None = None

    @property
    def busy(self) -> bool:
        return self.state in ("loading", "unloading")


@dataclass
class _Revival:
    """A model that is being loaded again, or when it was, and why it could not be."""

    running: bool = False
    ended: float | None = None
    failure: str | None = None


class VoicePool:
    """Counts the users of each voice. Thread-safe."""

    def __init__(self, control: Control, settings: Settings, clock: Callable[[], float], observer: Observer) -> None:
        self._control = control
        self._settings = settings
        self._clock = clock
        self._observer = observer
        self._voices: dict[str, _Voice] = {}
        self._revivals: dict[str, _Revival] = {}
        self._managed = True
        self._changed = threading.Condition()

    @contextmanager
    def use(self, voice: str, stages: Sequence[str]) -> Iterator[None]:
        """Hold a voice while it is spoken with; `stages` are the roles of all its models.

        Loads what is not loaded; of users that come together one loads and the others wait for it. Raises
        `VoiceUnavailable`.
        """
        models = [voice, *(f"{voice}_{role}" for role in stages)]
        with self._changed:
            record = self._voices.setdefault(voice, _Voice())
            record.users += 1
        try:
            if self._must_load(voice, record, models):
                self._load(voice, record, models)
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

    def revive(self, model: str) -> None:
        """Load a model anew whose process has died; callers that come together, or late, do it once.

        Raises `VoiceUnavailable`.
        """
        with self._changed:
            revival = self._revivals.setdefault(model, _Revival())
            while revival.running:
                self._changed.wait()
            if revival.ended is not None and self._clock() - revival.ended < REVIVED_SECONDS:
                if revival.failure is not None:
                    raise VoiceUnavailable(revival.failure)
                return
            revival.running = True
        failure: str | None = f"{model} has stopped and its restart was interrupted: try again"
        try:
            failure = self._reload(model)
        finally:
            with self._changed:
                revival.running, revival.ended, revival.failure = False, self._clock(), failure
                for record in self._voices.values():
                    if model in record.models:
                        record.verified = None
                self._changed.notify_all()
        if failure is not None:
            raise VoiceUnavailable(failure)
        self._observer.revived(model)

    def states(self) -> list[VoiceState]:
        """Every voice that was ever asked for."""
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

    def _must_load(self, voice: str, record: _Voice, models: list[str]) -> bool:
        """Wait until the voice is there (False) or this caller is the one to see to it (True)."""
        with self._changed:
            while True:
                now = self._clock()
                fresh = record.verified is not None and now - record.verified < VERIFIED_SECONDS
                if record.state != "unloading" and fresh and set(models) <= set(record.models):
                    return False
                if not record.busy:
                    break
                self._changed.wait()
            if record.failure is not None and now - record.failure[0] < FAILURE_SECONDS:
                raise VoiceUnavailable(record.failure[1])
            record.state = "loading"
            return True

    def _load(self, voice: str, record: _Voice, models: list[str]) -> None:
        """Load what is missing of a voice that is marked as loading."""
        there: list[str] = []
        loaded = False
        failure: str | None = None
        state: State = "failed"
        try:
            for model in models:
                if not self._control.ready(model):
                    self._control.load(model)
                    loaded = True
                there.append(model)
            state = "ready"
        except NotManaged:
            self._managed = False
            failure = f"voice '{voice}' is not loaded and this server loads none on demand: ask its operator for it"
        except ControlError as error:
            failure = f"voice '{voice}' cannot be loaded: {error}"
        finally:
            with self._changed:
                record.state = state
                record.models = [*record.models, *(model for model in there if model not in record.models)]
                record.verified = self._clock() if state == "ready" else None
                record.failure = None if failure is None else (self._clock(), failure)
                self._changed.notify_all()
        if failure is not None:
            raise VoiceUnavailable(failure)
        if loaded:
            self._observer.loaded(voice)

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

    def _reload(self, model: str) -> str | None:
        """Unload and load; what was wrong, or None."""
        try:
            self._control.unload(model)
            self._control.load(model)
        except NotManaged:
            return f"{model} has stopped and this server restarts no model: ask its operator to restart it"
        except ControlError as error:
            return f"{model} has stopped and cannot be restarted: {error}"
        return None
