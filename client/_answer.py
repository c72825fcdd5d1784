"""One request's way to its last sample: over the parts of a long answer, and over servers that die."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from ._errors import ConnectionLost, ProtocolError, ServiceUnavailable
from ._models import Chunk, Notice
from ._request import Continuation, Request
from ._retry import RECOVERY, Pauses
from ._timeouts import Deadline

WASTED = 3
"""Attempts in a row that a server may take and bring nothing new: the text may be what ends it each time."""

_LOG = logging.getLogger("client")


@dataclass
class _Given:
    """What the caller has of the current part; ``clauses`` are their texts and ``done`` its progress."""

    samples: int = 0
    rate: int = 0
    clauses: list[str] = field(default_factory=list)
    marks: int = 0
    notices: set[Notice] = field(default_factory=set)
    done: int = 0


@dataclass
class _Attempt:
    """How far one attempt at the current part is, and what the caller had of it before: ``had`` samples, ``told``."""

    repeats: bool = False
    had: int = 0
    told: frozenset[Notice] = frozenset()
    begun: bool = False
    samples: int = 0
    clauses: int = 0
    marks: int = 0
    resume: str = ""


class Answer:
    """What is to be sent next, what of its chunks is new, and after how long a failure is worth another attempt.

    The audio is a function of the request. So a request whose server died in the middle is sent again, and what of its
    answer was given already is left out: samples, clauses and marks by their number, as each attempt has them in the
    same order, and notices by what they say, as two servers may have different ones.

    Attributes:
        request: to be sent now; of a long answer the one for its next part.
    """

    def __init__(self, request: Request, deadline: Deadline) -> None:
        self.request = request
        self._deadline = deadline
        self._heard = 0.0  # seconds of all parts
        self._wasted = 0
        self._pauses = Pauses(deadline)
        self._given = _Given()
        self._attempt = _Attempt()

    def take(self, chunk: Chunk) -> Chunk | None:
        """The next chunk of this attempt, as far as it is new; ``None`` where nothing of it is.

        Raises:
            ProtocolError: this attempt's answer is another than the one before it gave.
        """
        given, attempt = self._given, self._attempt
        if attempt.repeats:
            self._compare(chunk)
        samples = chunk.samples[max(0, given.samples - attempt.samples) :]
        clauses = chunk.clauses[max(0, len(given.clauses) - attempt.clauses) :]
        marks = chunk.marks[max(0, given.marks - attempt.marks) :]
        notices = tuple(notice for notice in chunk.notices if notice not in attempt.told)
        progress = chunk.progress
        if attempt.repeats and progress is not None and progress.done <= given.done:
            progress = None
        attempt.begun, attempt.resume = True, chunk.resume
        attempt.samples += chunk.samples.size
        attempt.clauses += len(chunk.clauses)
        attempt.marks += len(chunk.marks)
        given.samples += samples.size
        given.rate = given.rate or chunk.sample_rate
        given.clauses += (clause.text for clause in clauses)
        given.marks += len(marks)
        given.notices.update(notices)
        given.done = given.done if progress is None else progress.done
        self._heard += samples.size / (chunk.sample_rate or 1)
        if not attempt.repeats:
            return chunk
        if not (samples.size or clauses or marks or notices or progress or chunk.resume):
            return None
        return replace(chunk, samples=samples, clauses=clauses, marks=marks, notices=notices, progress=progress)

    def complete(self) -> bool:
        """This attempt came to its end: is the answer complete? If not, ``request`` is for the next part.

        Raises:
            ProtocolError: it ended before what the attempt before it gave.
        """
        if self._attempt.samples < self._given.samples:
            raise _other(f"it ends after {self._attempt.samples} samples, where {self._given.samples} came already")
        if not self._attempt.resume:
            return True
        self.request = Continuation.of(self.request, self._attempt.resume)
        self._pauses, self._wasted = Pauses(self._deadline), 0
        self._given, self._attempt = _Given(), _Attempt()
        return False

    def failed(self, error: ServiceUnavailable) -> float:
        """Seconds after which ``request`` is to be sent again.

        A request that a server had begun waits longer than others for it or another one to be there.

        Raises:
            ServiceUnavailable: ``error`` itself, where another attempt is not worth it.
        """
        given, attempt = self._given, self._attempt
        if attempt.resume and attempt.samples >= given.samples:  # all of this part came, and only its end is missing
            self.complete()
            return 0.0
        if given.samples > attempt.had:
            self._pauses, self._wasted = Pauses(self._deadline), 0
        elif (attempt.begun and self._heard) or isinstance(error, ConnectionLost):
            self._wasted += 1
        if self._heard or isinstance(error, ConnectionLost):
            self._pauses.patience = RECOVERY
        if self._wasted >= WASTED:
            raise error
        pause = self._pauses.after(error)
        _LOG.info("the request is sent again after %.2f s of audio: %s", self._heard, error)
        repeats = attempt.repeats or attempt.begun
        self._attempt = _Attempt(repeats, given.samples, frozenset(given.notices))
        return pause

    def _compare(self, chunk: Chunk) -> None:
        """See that what was given already is what this chunk repeats."""
        given, at = self._given, self._attempt.clauses
        if chunk.samples.size and given.rate not in (0, chunk.sample_rate):
            raise _other(f"it has {chunk.sample_rate} Hz, where {given.rate} came already")
        for text, clause in zip(given.clauses[at:], chunk.clauses, strict=False):
            if text != clause.text:
                raise _other(f"it speaks {clause.text[:40]!r}, where {text[:40]!r} came already")


def _other(what: str) -> ProtocolError:
    return ProtocolError(f"a repeated answer is not the same ({what}): do all servers have the same voices?")
