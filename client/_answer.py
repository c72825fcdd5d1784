"""One request's way to its last sample: over the parts of a long answer, and over servers that die."""

from __future__ import annotations

import logging
from dataclasses import replace

from ._errors import ConnectionLost, ProtocolError, ServiceUnavailable
from ._models import Chunk, Notice
from ._request import Continuation, Request
from ._retry import RECOVERY, Pauses
from ._timeouts import Deadline

WASTED = 3
"""Attempts in a row that a server may take and bring nothing new: the text may be what ends it each time."""

_LOG = logging.getLogger("client")


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
        self._heard = 0
        self._begin_part()

    def take(self, chunk: Chunk) -> Chunk | None:
        """The next chunk of this attempt, as far as it is new; ``None`` where nothing of it is.

        Raises:
            ProtocolError: this attempt's answer is another than the one before it gave.
        """
        self._begun = True
        self._resume = chunk.resume
        if self._repeating:
            self._compare(chunk)
        samples = chunk.samples[max(0, self._samples - self._at) :]
        clauses = chunk.clauses[max(0, len(self._clauses) - self._at_clause) :]
        marks = chunk.marks[max(0, self._marks - self._at_mark) :]
        notices = tuple(notice for notice in chunk.notices if notice not in self._told)
        progress = chunk.progress
        if self._repeating and progress is not None and progress.done <= self._done:
            progress = None
        self._at += chunk.samples.size
        self._at_clause += len(chunk.clauses)
        self._at_mark += len(chunk.marks)
        self._rate = self._rate or chunk.sample_rate
        self._samples += samples.size
        self._heard += samples.size
        self._clauses += (clause.text for clause in clauses)
        self._marks += len(marks)
        self._notices.update(chunk.notices)
        self._done = max(self._done, progress.done if progress is not None else 0)
        if not self._repeating:
            return chunk
        if not (samples.size or clauses or marks or notices or progress or chunk.resume):
            return None
        return replace(chunk, samples=samples, clauses=clauses, marks=marks, notices=notices, progress=progress)

    def complete(self) -> bool:
        """This attempt came to its end: is the answer complete? If not, ``request`` is for the next part.

        Raises:
            ProtocolError: it ended before what the attempt before it gave.
        """
        if self._at < self._samples:
            raise _other(f"it ends after {self._at} samples, where {self._samples} came already")
        if self._resume:
            self.request = Continuation.of(self.request, self._resume)
            self._begin_part()
            return False
        return True

    def failed(self, error: ServiceUnavailable) -> float:
        """Seconds after which ``request`` is to be sent again.

        A request that a server had begun waits longer than others for it or another one to be there.

        Raises:
            ServiceUnavailable: ``error`` itself, where another attempt is not worth it.
        """
        if self._resume and self._at >= self._samples:  # all of this part came, and only its end is missing
            self.complete()
            return 0.0
        if self._samples > self._before:
            self._pauses, self._wasted = self._new_pauses(), 0
        elif (self._begun and self._heard) or isinstance(error, ConnectionLost):
            self._wasted += 1
        if isinstance(error, ConnectionLost) or self._heard:
            self._pauses.patience = RECOVERY
        if self._wasted >= WASTED:
            raise error
        pause = self._pauses.after(error)
        if self._heard:
            seconds = self._heard / self._rate if self._rate else 0.0
            _LOG.info("the request is sent again after %.2f s of audio: %s", seconds, error)
        self._begin_attempt(repeating=self._repeating or self._begun)
        return pause

    def _new_pauses(self) -> Pauses:
        return Pauses(self._deadline)

    def _begin_part(self) -> None:
        self._pauses = self._new_pauses()
        self._wasted = 0
        # Of this part, what was given.
        self._rate = 0
        self._samples = 0
        self._clauses: list[str] = []
        self._marks = 0
        self._notices: set[Notice] = set()
        self._done = 0
        self._begin_attempt(repeating=False)

    def _begin_attempt(self, *, repeating: bool) -> None:
        self._repeating = repeating
        self._begun = False
        self._resume = ""
        # Where in the part this attempt is, and what had been given when it began.
        self._at = self._at_clause = self._at_mark = 0
        self._before = self._samples
        self._told = frozenset(self._notices) if repeating else frozenset()

    def _compare(self, chunk: Chunk) -> None:
        if chunk.samples.size and self._rate not in (0, chunk.sample_rate):
            raise _other(f"it has {chunk.sample_rate} Hz, where {self._rate} came already")
        given = self._clauses[self._at_clause : self._at_clause + len(chunk.clauses)]
        for text, clause in zip(given, chunk.clauses, strict=False):
            if text != clause.text:
                raise _other(f"it speaks {clause.text[:40]!r}, where {text[:40]!r} came already")


def _other(what: str) -> ProtocolError:
    return ProtocolError(f"a repeated answer is not the same ({what}): do all servers have the same voices?")
