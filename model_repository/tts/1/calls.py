"""Inferences on the other models of this server, made once more where a model had to be brought back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from errors import StageError, UnavailableError
from request import Arrays

Infer = Callable[[str, Arrays, tuple[str, ...]], tuple[Arrays, str]]


class Witness(Protocol):
    """Hears which models live; `vitals.Vitals` does."""

    def died(self, model: str, through: str) -> None:
        """A call of `through` has found `model` dead, which may be the same."""

    def answered(self, model: str) -> None:
        """A call of `model` has succeeded."""


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

    `check` is asked before each call and raises when the request is to end. `infer` is that of `inferences`. `witness`
    hears of each model that was found dead or has answered.
    """

    def __init__(
        self,
        infer: Infer,
        revive: Callable[[str, float, Callable[[], None]], None],
        clock: Callable[[], float],
        check: Callable[[], None],
        witness: Witness,
    ) -> None:
        self._infer = infer
        self._revive = revive
        self._clock = clock
        self._witness = witness
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
            self._witness.died(culprit, model)
            self._revive(culprit, begin, self.check)
            begin = self._clock()
            answer, problem = self._infer(model, inputs, outputs)
        if problem:
            raise _error(model, problem)
        self._witness.answered(model)
        return answer

    def dismiss(self, model: str, inputs: Arrays, outputs: tuple[str, ...]) -> None:
        """One inference that only ends something, also for a request that is over: whatever comes of it."""
        self._infer(model, inputs, outputs)


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
