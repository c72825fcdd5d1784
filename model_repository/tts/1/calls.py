"""Inferences on the other models of this server, made once more where a model had to be brought back."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing

from errors import StageError, UnavailableError
from request import Arrays

Infer = Callable[[str, Arrays, tuple[str, ...]], tuple[Arrays, str]]
Respond = Callable[[str, Arrays, tuple[str, ...]], Iterator[tuple[Arrays, str]]]

# What Triton says of a model whose process has died, and of one that is not loaded.
_DEAD = re.compile(r"Stub process .* is not healthy|Failed to process the request\(s\) .*Stub process", re.DOTALL)
_ABSENT = re.compile(r"is not ready|has no available versions|is not found|unknown model", re.IGNORECASE)
# Which one that is: a model that calls others tells what it heard of them. A process is called by its instance.
_NAMED = re.compile(r"Stub process '(?P<dead>[\w-]+?)_\d+_\d+' is not healthy|Model '(?P<absent>[\w-]+)' is not ready")
# What it says to everybody once it has been told to stop.
_STOPPING = re.compile(r"Server not ready|server is stopping", re.IGNORECASE)


class Caller:
    """Calls models; `revive` brings a model back that a call, begun at a time by `clock`, has found dead, or raises.

    That may be another model than was called, which the called one could not do without.

    `check` is asked before each call and each response of a stream and raises when the request is to end. `infer` and
    `respond` are those of `inferences`.
    """

    def __init__(
        self,
        infer: Infer,
        respond: Respond,
        revive: Callable[[str, float, Callable[[], None]], None],
        clock: Callable[[], float],
        check: Callable[[], None],
    ) -> None:
        self._infer = infer
        self._respond = respond
        self._revive = revive
        self._clock = clock
        self.check = check

    def __call__(self, model: str, inputs: Arrays, outputs: tuple[str, ...]) -> Arrays:
        """One inference; tried again where a model had to be brought back.

        Raises `StageError`, `UnavailableError` and what `revive` and `check` raise.
        """
        self.check()
        begin = self._clock()
        revived: set[str] = set()
        answer, problem = self._infer(model, inputs, outputs)
        while culprit := _culprit(problem, model, revived):
            self._revive(culprit, begin, self.check)
            begin = self._clock()
            answer, problem = self._infer(model, inputs, outputs)
        if problem:
            raise _error(model, problem)
        return answer

    def stream(
        self, model: str, inputs: Arrays, outputs: tuple[str, ...], end: Arrays
    ) -> Generator[Arrays, None, None]:
        """The responses of a decoupled model, one by one; `end` are inputs that make it give up on these.

        Where a model had to be brought back, it is asked again and what it had answered before is passed over: it
        must answer the same. A stream that is closed is ended first. Raises what a call raises.
        """
        given = 0
        revived: set[str] = set()
        while True:
            self.check()
            begin, problem = self._clock(), ""
            with closing(self._responses(model, inputs, outputs, end)) as responses:
                for number, (answer, problem) in enumerate(responses):
                    if problem:
                        break
                    self.check()
                    if number >= given:
                        given += 1
                        yield answer
            culprit = _culprit(problem, model, revived)
            if culprit is None:
                break
            self._revive(culprit, begin, self.check)
        if problem:
            raise _error(model, problem)

    def end(self, model: str, end: Arrays) -> None:
        """Make a decoupled model give up, whatever it says to that: what is ended is not missed."""
        for _ in self._respond(model, end, ()):
            pass

    def _responses(
        self, model: str, inputs: Arrays, outputs: tuple[str, ...], end: Arrays
    ) -> Generator[tuple[Arrays, str], None, None]:
        """The responses; whoever closes this before the last has the model give up, and waits until it has."""
        responses = self._respond(model, inputs, outputs)
        over = False
        try:
            for answer, problem in responses:
                over = bool(problem)
                yield answer, problem
            over = True
        finally:
            if not over:
                self.end(model, end)
            for _ in responses:
                pass


def _culprit(problem: str, model: str, revived: set[str]) -> str | None:
    """The model to bring back: the one that a problem names, or else the one that was called; once each."""
    if _STOPPING.search(problem) or not (_DEAD.search(problem) or _ABSENT.search(problem)):
        return None
    named = _NAMED.search(problem)
    culprit = (named["dead"] or named["absent"]) if named else model
    if culprit in revived:
        return None
    revived.add(culprit)
    return culprit


def _error(model: str, problem: str) -> Exception:
    if _STOPPING.search(problem):
        return UnavailableError("the server is stopping: try again when it is back")
    return StageError(f"{model}: {problem}")
