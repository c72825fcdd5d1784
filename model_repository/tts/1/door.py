"""The front door: takes requests in, starts as many as the service can bear, and watches over what it can bear."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any, Protocol

import numpy.typing as npt
import styles
from admission import Admission
from chunks import ChunkSizes
from errors import CancelledError, DeadlineError, FrontDoorError, RequestError, UnavailableError, is_out_of_memory
from events import Piece
from governor import Allowance, Governor, Readings, Step, allowance
from model_control import VoiceUnavailable
from pool import VoicePool
from preloading import Preloader
from readings import Memory
from request import Request
from settings import Settings
from speech import THREADS, Policy, Speech
from stages import Models, Stages
from telemetry import Telemetry
from tracing import Trace, TracedModels

SWEEP_SECONDS = 0.1
GOVERN_SECONDS = 1.0
# How far a stream may run ahead of what can have been heard while memory is short: nobody knows whether it is read.
LEAD_SECONDS = 60.0

_STATUS = {"INVALID_ARG": "INVALID_ARGUMENT"}
_DONE = {
    Step.SMALL: "fewer requests at once and smaller pieces",
    Step.LIGHT: "the fast vocoder answers",
    Step.SHED: "new requests are refused",
}


class Answer(Protocol):
    """A request's way back to its client."""

    def cancelled(self) -> bool:
        """Whether nobody waits for it any more."""

    def send(self, piece: Piece) -> None:
        """One more response."""

    def end(self) -> None:
        """No more responses."""

    def fail(self, status: str, message: str) -> None:
        """End with an error; `status` is gRPC's name of it."""


class FrontDoor:
    """Everything between a request and its responses that needs no Triton.

    `caller` makes the function that calls stages, given what is to be checked before each call.
    """

    def __init__(
        self,
        settings: Settings,
        pool: VoicePool,
        telemetry: Telemetry,
        caller: Callable[[Callable[[], None]], Models],
        memory: Callable[[], Memory],
        log: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._telemetry = telemetry
        self._caller = caller
        self._memory = memory
        self._log = log
        self._clock = clock
        self._presets = {preset.name: preset.instruction for preset in settings.presets}
        self._preloaded: set[str] = set()
        self._killed: int | None = None
        most = settings.max_in_flight
        self._requests = ThreadPoolExecutor(most, thread_name_prefix="request")
        self._ahead = ThreadPoolExecutor(THREADS * most, thread_name_prefix="ahead")
        self._admission = Admission(most, settings.max_waiting, self._requests, clock)
        self._governor = Governor(settings.thresholds)
        self._preloader = Preloader(self._presets, pool, caller, self._idle, telemetry.designed, log)
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)

    def take(
        self,
        inputs: Mapping[str, npt.NDArray[Any]],
        parameters: Mapping[str, Any],
        timeout: float,
        answer: Answer,
        trace: Trace | None = None,
    ) -> None:
        """Start, queue or refuse a request; `timeout` is its time in seconds, 0 when it names none."""
        # Not before the first request: until then the server is not ready to be asked anything.
        if self._watcher.ident is None:
            self._watcher.start()
        try:
            request = Request.read(inputs, parameters)
            if request.style is not None:
                styles.instruction(request.style, self._presets)
        except RequestError as error:
            self._telemetry.ended("INVALID_ARGUMENT")
            if trace is not None:
                trace.ended("INVALID_ARGUMENT", str(error))
            answer.fail("INVALID_ARGUMENT", str(error))
            return
        seconds = timeout or self._settings.default_deadline_seconds
        self._admission.submit(_Ticket(self, request, answer, self._clock(), seconds, trace))

    def close(self) -> None:
        """Take no more requests and let those in flight end."""
        self._closing.set()
        self._admission.close("the server is stopping")
        self._preloader.close()
        self._requests.shutdown()
        self._ahead.shutdown()

    def work(self, ticket: _Ticket) -> None:
        """Answer one request, whatever happens."""
        begin = self._clock()
        self._telemetry.waited(begin - ticket.arrived)
        if ticket.trace is not None:
            ticket.trace.started()
        outcome, message = "INTERNAL", "synthesis was interrupted"
        try:
            outcome, message = self._outcome(ticket)
        finally:
            # Before the client hears of the end: it may send its next request at once, for which there is room now.
            end = self._clock()
            self._admission.finished(end - begin)
            self._telemetry.ended(outcome)
            self._telemetry.ran(end - begin, end - ticket.arrived)
            if outcome == "INTERNAL" and is_out_of_memory(message):
                self._telemetry.out_of_memory()
            if ticket.trace is not None:
                ticket.trace.ended(outcome, message)
            if outcome in ("ok", "CANCELLED"):
                ticket.answer.end()
            else:
                ticket.answer.fail(outcome, message)

    def _outcome(self, ticket: _Ticket) -> tuple[str, str]:
        """Speak a request; "ok" or gRPC's name of the status that it ends with, and the message to that."""
        try:
            self._speak(ticket)
        except CancelledError:
            return "CANCELLED", ""
        except (FrontDoorError, VoiceUnavailable) as error:
            code = error.code if isinstance(error, FrontDoorError) else UnavailableError.code
            return _STATUS.get(code, code), str(error)
        except Exception as error:  # a request must end, whatever happens to it: with an error that names the cause
            self._log(f"tts: {error!r}")
            return "INTERNAL", f"synthesis failed: {error!r}"
        return "ok", ""

    def refused(self, ticket: _Ticket, code: str) -> None:
        """A request ended, with gRPC's name of its status, without having been started."""
        self._telemetry.refused(code)
        if code != "UNAVAILABLE":  # it was taken, and waited in vain
            self._telemetry.waited(self._clock() - ticket.arrived)

    def _speak(self, ticket: _Ticket) -> None:
        def check() -> None:
            if ticket.answer.cancelled():
                raise CancelledError
            if self._clock() > ticket.deadline:
                raise DeadlineError(f"not complete within {ticket.seconds:g} s: send less text or allow more time")

        models = self._caller(check)
        if ticket.trace is not None:
            models = TracedModels(models, ticket.trace)
        stages = Stages(models, batching=self._settings.batching)
        with ExitStack() as held:
            used: set[str] = set()

            def use(block: dict[str, Any]) -> None:
                if block["voice"] not in used:
                    held.enter_context(self._pool.use(block["voice"], block["stages"], check))
                    used.add(block["voice"])
                    if block.get("generation"):
                        self._preloader.add(block)
                    elif block["style"]:
                        self._preload(stages, f"{block['voice']}_{block['style']}")

            speech = Speech(stages, ticket.request, self._presets, self._policy, use, self._ahead)
            first: float | None = None
            sent = 0.0
            with closing(speech.pieces()) as pieces:
                for piece in pieces:
                    check()
                    ticket.answer.send(piece)
                    seconds = piece.audio.size / piece.sample_rate
                    if first is None:
                        first = self._clock()
                        self._telemetry.first_audio(first - ticket.arrived)
                    self._telemetry.audio(seconds)
                    sent += seconds
                    while self._governor.step and sent - (self._clock() - first) > LEAD_SECONDS:
                        check()
                        self._closing.wait(SWEEP_SECONDS)

    def _preload(self, stages: Stages, model: str) -> None:
        """Put the presets' style vectors into Triton's response cache, when a voice is used for the first time."""
        if model not in self._preloaded:
            for text in self._presets.values():
                stages.style(model, styles.code_points(text))
            self._preloaded.add(model)

    def _idle(self) -> bool:
        """Whether nobody is served and nothing is short."""
        state = self._admission.snapshot()
        return not state.in_flight and not state.waiting and self._governor.step is Step.FULL

    def _policy(self) -> Policy:
        step = self._governor.step
        allowed = self._allowed(step)
        # Among n requests a next piece comes n times as late, so the first one has to last n times as long.
        company = max(1, self._admission.snapshot().in_flight)
        first = min(company * self._settings.first_chunk_frames, allowed.chunk_frames)
        sizes = ChunkSizes(first, allowed.chunk_frames, max(1, self._settings.window_step))
        if step is Step.FULL:
            return Policy(sizes, self._settings.qualities)
        message = f"{self._governor.reason}: {_DONE[step]}"
        notice = {"kind": "degraded", "text": step.name.lower(), "message": message}
        return Policy(sizes, self._settings.qualities, "fast" if allowed.fastest else None, notice)

    def _allowed(self, step: Step) -> Allowance:
        """What a step leaves of the settings' bounds."""
        settings = self._settings
        return allowance(step, settings.max_in_flight, settings.first_chunk_frames, settings.max_chunk_frames)

    def _watch(self) -> None:
        """Until the door is closed: drop what need not wait any more, and adapt to memory and load."""
        next_time = self._clock()
        while not self._closing.wait(SWEEP_SECONDS):
            self._admission.sweep()
            if self._clock() >= next_time:
                next_time = self._clock() + GOVERN_SECONDS
                try:
                    self._govern()
                except Exception as error:  # the watch must outlive a reading that failed
                    self._log(f"tts: the watch over memory and load failed: {error!r}")

    def _govern(self) -> None:
        memory, state = self._memory(), self._admission.snapshot()
        before = self._governor.step
        wait = max(state.oldest_wait, state.mean_wait)
        readings = Readings(memory.host_free, memory.host_used, memory.gpu_free, memory.gpu_used, wait, state.in_flight)
        step = self._governor.update(readings, self._clock())
        self._telemetry.load(state.in_flight, state.waiting, state.oldest_wait)
        self._tell(memory)
        if step is not before:
            self._log(f"tts: {before.name.lower()} -> {step.name.lower()}: {self._governor.reason}")
            self._telemetry.step_changed(int(step), step.name)
        allowed = self._allowed(step)
        self._admission.set_limit(allowed.in_flight)
        if allowed.admit:
            self._admission.open()
        else:
            self._admission.close(self._governor.reason, self._settings.recover_seconds)
        self._telemetry.flush()
        self._pool.tick(step >= Step.LIGHT)

    def _tell(self, memory: Memory) -> None:
        """Count what the kernel has ended since the last reading, and show what is used."""
        self._telemetry.memory(memory.host_used, memory.gpu_used)
        if self._killed is not None and memory.killed > self._killed:
            self._telemetry.out_of_memory(memory.killed - self._killed)
        self._killed = memory.killed


class _Ticket:
    """A request on its way through the admission."""

    def __init__(
        self, door: FrontDoor, request: Request, answer: Answer, arrived: float, seconds: float, trace: Trace | None
    ) -> None:
        self._door = door
        self.request = request
        self.answer = answer
        self.seconds = seconds
        self.trace = trace
        self.arrived = arrived
        self.deadline = arrived + seconds

    def cancelled(self) -> bool:
        return self.answer.cancelled()

    def run(self) -> None:
        self._door.work(self)

    def refuse(self, code: str, message: str) -> None:
        self._door.refused(self, code)
        if self.trace is not None:
            self.trace.ended(code, message)
        if code == "CANCELLED":
            self.answer.end()
        else:
            self.answer.fail(code, message)
