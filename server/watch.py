"""Keeps a running server answering: notices what Triton does not, and reloads or restarts as little as helps."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

from server import repository, stubs
from server.control import Control, ControlError, ModelState
from server.errors import GaveUp, ServerError
from server.frontdoor import FRONT_DOOR, UNSAYABLE, Answer, Health, Verdict, ask, judge
from server.pace import Pace
from server.triton import TritonServer

LAST_STAGE = "postprocess"  # every clause of every voice passes it, so its count tells whether anything is spoken
TICK = 0.25
PATIENCE = 5  # times as long as the slowest good answer may the next one take, for voices that are slow by nature


@dataclass(frozen=True)
class WatchSettings:
    """Times in seconds. What is lost is noticed within half a second; probes find what hangs or fails."""

    interval: float = 5.0  # between two probes of a server that is well
    again: float = 1.0  # after the first probe that failed
    limit: float = 10.0  # that a probe may take
    mend_limit: float = 4.0  # the same, once a part is known to be broken
    reload_limit: float = 60.0
    ill_pause: float = 60.0  # before a voice that does not speak is tried again
    attempts: int = 5  # starts in a row that may fail for the same cause


class _Disturbed(Exception):
    """While an answer was awaited, a process vanished: the answer may never come."""


class Watch:
    """Watches one server that is ready. ``say`` gets one line for each event, with what, why and how long it took."""

    def __init__(self, server: TritonServer, say: Callable[[str], None], settings: WatchSettings | None = None) -> None:
        self._server = server
        self._say = say
        self._settings = settings or WatchSettings()
        self._pace = Pace()
        self._voices = repository.voices(server.options.repository)
        self._count = 0
        self._slowest = 0.0  # seconds, of the probes that went well
        self._forget()

    def run(self, meanwhile: Callable[[], None] = lambda: None) -> NoReturn:
        """Watches until it raises ``GaveUp``; calls ``meanwhile`` at every look."""
        while True:
            meanwhile()
            self.tick()
            time.sleep(TICK)

    def tick(self) -> None:
        """One look at the server, and whatever follows from it."""
        with contextlib.suppress(_Disturbed):  # what vanished is noted, and looked into here
            self._look()
        try:
            if not self._server.running:
                self._restart(self._death())
            elif self._missing and (dead := self._dead()):
                self._mend(dead, f"the process of {', '.join(dead)} is gone", requests=2)
            elif time.monotonic() >= self._next_probe:
                self._probe()
        except _Disturbed:
            return  # the next look tells which process it was

    # What is there

    def _forget(self) -> None:
        """A new server: nothing is known of it but its processes."""
        self._known = stubs.living(self._server.pid or 0)
        self._missing: dict[str, stubs.Stub] = {}
        self._ill: dict[str, float] = {}
        self._failures = 0
        self._suspect: tuple[str, ...] = ()  # the voice that failed last, which is asked again before any other
        self._closed = False
        self._next_probe = time.monotonic() + self._settings.interval
        self._next_scan = time.monotonic()

    def _look(self) -> None:
        """Notes the processes that came and went. Raises ``_Disturbed`` when one went."""
        if not self._server.running:
            raise _Disturbed
        now = time.monotonic()
        if all(map(stubs.lives, self._known.values())) and now < self._next_scan:
            return
        alive = stubs.living(self._server.pid or 0)
        gone = {instance: stub for instance, stub in self._known.items() if instance not in alive}
        self._missing = {name: stub for name, stub in (self._missing | gone).items() if name not in alive}
        # Also of those that came and went between two looks, as the others of a model do when one of them has died.
        stubs.forget_memory(alive.values(), self._server.shm_prefix)
        self._known = alive
        self._next_scan = now + 1.0
        if gone:
            raise _Disturbed

    def _dead(self) -> list[str]:
        """The models that Triton believes ready and of which a process is missing; the others were unloaded."""
        try:
            states = self._control().models()
        except ControlError:
            self._next_probe = 0.0
            return []
        gone = {name: states.get(stub.model, ModelState(stub.model, "")) for name, stub in self._missing.items()}
        self._missing = {name: self._missing[name] for name, state in gone.items() if state.ready or state.changing}
        return sorted({state.name for state in gone.values() if state.ready})

    def _death(self) -> str:
        try:
            self._server.check()
        except ServerError as error:
            return str(error)
        return "the server ended"

    # What it answers

    def _probe(self) -> None:
        """Asks the front door and has the next voice speak; what fails twice is mended."""
        settings = self._settings
        before = self._control().spoken(LAST_STAGE)
        voice, verdict = self._ask_next()
        if verdict.health is Health.BUSY and self._control().spoken(LAST_STAGE) > before:
            verdict = Verdict(Health.WELL)  # the request waits its turn among others that are answered
        if verdict.fine:
            if voice and self._ill.pop(voice, None):
                self._say(f"voice {voice} speaks again")
            self._failures, self._suspect = 0, ()
            self._next_probe = time.monotonic() + settings.interval
            return
        self._failures, self._suspect = self._failures + 1, (voice,) if voice else ()
        self._next_probe = time.monotonic() + settings.again
        if voice in self._ill:
            self._failures, self._suspect = 0, ()
            self._ill[voice] = time.monotonic() + settings.ill_pause
        elif self._failures > 1:
            self._failures, self._suspect = 0, ()
            if verdict.model not in (None, FRONT_DOOR):
                self._mend([str(verdict.model)], verdict.reason, requests=0, voice=voice)
            else:
                self._give_up_on(voice, verdict.reason)

    def _ask_next(self) -> tuple[str | None, Verdict]:
        """The voice whose turn it is, of those that are loaded, and how the front door and it are.

        The voice is asked past the front door, which would take it for one in use and never unload it.
        """
        try:
            states = self._control().models()
        except ControlError as error:
            return None, Verdict(Health.ILL, f"the server does not answer: {error}")
        voice = self._next_voice(states, self._suspect)
        begin = time.monotonic()
        limit = max(self._settings.limit, PATIENCE * self._slowest)
        verdict = self._ask(None, states, limit)
        if voice and verdict.health is Health.WELL and not self._closed:
            verdict = judge(self._speak(voice, limit, model=voice), states)
        if verdict.fine:
            self._slowest = min(self._settings.limit, max(self._slowest, time.monotonic() - begin))
        return voice, verdict

    def _ask(self, voice: str | None, states: dict[str, ModelState], limit: float) -> Verdict:
        """How a short request to the front door goes; without a voice, one that gets as far as the front end."""
        door = states.get(FRONT_DOOR)
        if door is None:
            return Verdict(Health.WELL)
        if not door.ready:
            if not self._closed and not door.changing:
                self._say(f"{FRONT_DOOR} is not loaded ({door.reason or 'unloaded'}): load it, nothing speaks without")
            self._closed = True
            return Verdict(Health.WELL)
        self._closed = False
        if voice is None and self._voices:
            return judge(ask(self._server.address, UNSAYABLE, None, limit, self._look), states)
        return judge(self._speak(voice, limit), states)

    def _speak(self, voice: str | None, limit: float, model: str = FRONT_DOOR) -> Answer:
        """A short text, and never the same one twice in a row, so that no cache answers for a stage."""
        self._count += 1
        text = f"{self._count % 100}。"
        return ask(self._server.address, text, voice, limit, self._look, model)

    def _next_voice(self, states: dict[str, ModelState], models: Iterable[str] = ()) -> str | None:
        """A loaded voice: the owner of one of ``models`` if there is one, else each in its turn."""
        now = time.monotonic()
        loaded = [voice for voice in self._voices if voice in states and states[voice].ready]
        owners = {repository.voice_of(model, self._voices) for model in models}
        candidates = [voice for voice in loaded if voice in owners]
        candidates = candidates or [voice for voice in loaded if self._ill.get(voice, 0.0) <= now] or loaded
        return candidates[self._count % len(candidates)] if candidates else None

    # What helps

    def _mend(self, models: list[str], why: str, requests: int, voice: str | None = None) -> None:
        """Gets models going again whose process is gone or whose requests fail.

        The router reloads what a request of its own meets, so that up to ``requests`` are sent before anything else.
        """
        begin = time.monotonic()
        if FRONT_DOOR in models:  # what it works on hangs for ever, and only the end of the server ends it
            return self._restart(why)
        try:
            states = self._control().models()
            voice = voice or self._next_voice(states, models)
            verdict = Verdict(Health.ILL)
            for _ in range(requests):
                verdict = self._ask(voice, states, self._settings.mend_limit)
                if verdict.health is not Health.ILL:
                    break
            broken = [model for model in models if verdict.health is Health.ILL or self._lacks(model)]
            for model in broken:
                self._control().reload(model, self._settings.reload_limit)
            if broken:
                verdict = self._ask(voice, self._control().models(), self._settings.mend_limit)
        except ControlError as error:
            return self._restart(f"{why}; {error}")
        if verdict.health is Health.ILL:
            return self._give_up_on(voice, why if verdict.reason in why else f"{why}; {verdict.reason}")
        self._missing = {name: stub for name, stub in self._missing.items() if stub.model not in models}
        by = "reloaded it" if broken else "the router reloaded it"
        self._say(f"{why}: {by} in {time.monotonic() - begin:.1f} s")
        self._next_probe = time.monotonic() + self._settings.interval

    def _lacks(self, model: str) -> bool:
        """Whether a process of the model is still missing."""
        alive = stubs.living(self._server.pid or 0)
        return any(stub.model == model and name not in alive for name, stub in self._missing.items())

    def _give_up_on(self, voice: str | None, why: str) -> None:
        """Nothing less helps than a restart, unless it is this voice alone that does not speak."""
        try:
            states = self._control().models()
        except ControlError:
            states = {}
        others = [name for name in self._voices if name != voice and name in states and states[name].ready]
        if voice and any(self._ask(name, states, self._settings.mend_limit).fine for name in others):
            self._say(f"voice {voice} does not speak, others do: {why}")
            self._ill[voice] = time.monotonic() + self._settings.ill_pause
            return
        self._restart(why)

    def _restart(self, why: str) -> None:
        """Ends the server and starts it at the same ports. Raises ``GaveUp`` when that keeps failing."""
        begin = time.monotonic()
        self._server.hurry()  # clients that wait hear of it at once, and try again
        while True:
            time.sleep(self._pace.pause(time.monotonic()))
            try:
                self._server.restart()
                self._server.wait_ready()
                break
            except ServerError as error:
                failures = self._pace.failed(str(error))
                if failures >= self._settings.attempts:
                    raise GaveUp(f"{failures} starts in a row failed, no more are tried: {error}") from error
                self._say(f"start {failures} after this failed: {why}: {error}")
        self._pace.started()
        self._forget()
        self._say(f"restarted the server in {time.monotonic() - begin:.1f} s: {why}")

    def _control(self) -> Control:
        return Control(self._server.address)
