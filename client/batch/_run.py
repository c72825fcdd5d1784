"""The work of a batch: a few items at a time, each until it is done, failed, or the server is given up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from .. import audio
from .._errors import DiskFull, ServerUnreachable, ServiceError, ServiceUnavailable, SpeechError
from .._files import write
from .._request import Request
from .._speech import Speech
from .._sync import Synthesizer
from ._journal import TEMPORARY, Journal
from ._lines import BadLine, Line

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
ILL_SECONDS = 30.0
"""How long a server that cannot answer and does not say until when is waited for, for one item."""


@dataclass
class Tally:
    """How far a batch is: items done now, done in an earlier run, and failed; seconds of audio made now."""

    done: int = 0
    before: int = 0
    failed: int = 0
    audio_seconds: float = 0.0

    @property
    def seen(self) -> int:
        """All items so far."""
        return self.done + self.before + self.failed


class GivenUp(ServiceError):
    """The server was unavailable for too long; a later run goes on."""


class Batch:
    """Speaks items with a few threads.

    Args:
        synthesizer: what speaks. It is closed when the work is interrupted, which cancels what is under way.
        journal: what is done and what failed.
        concurrency: requests under way at once.
        patience: seconds that a server which is away or overloaded is waited for, counted from the last success.
        on_change: called after each item, from any thread but never from two at once.
        on_failure: called with line number, id and error of each item that fails, in the same way.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        journal: Journal,
        *,
        concurrency: int = 4,
        patience: float = 300.0,
        on_change: Callable[[Tally], object] = lambda tally: None,
        on_failure: Callable[[int, str, SpeechError], object] = lambda number, name, error: None,
    ) -> None:
        self.tally = Tally()
        self._synthesizer = synthesizer
        self._journal = journal
        self._concurrency = concurrency
        self._patience = patience
        self._on_change = on_change
        self._on_failure = on_failure
        self._reading = threading.Lock()  # of the items, which may take their time
        self._lock = threading.Lock()  # of the journal and everything below
        self._stopped = threading.Event()
        self._fatal: BaseException | None = None
        self._last_success = time.monotonic()
        self._ill: set[str | None] = set()

    def run(self, items: Iterator[Line | BadLine]) -> Tally:
        """Do all items that are not done yet.

        Raises:
            GivenUp: the server was unavailable for too long.
            OutputError: nothing can be written any more.
            InvalidRequest: ``items`` raised it.
        """
        # An input may be a pipe on which a thread waits: it must not keep the program alive.
        threads = [threading.Thread(target=self._work, args=(items,), daemon=True) for _ in range(self._concurrency)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:  # Ctrl-C: what is under way need not end
            self._stopped.set()
            self._synthesizer.close()
            for thread in threads:
                if thread.ident is not None:
                    thread.join(5)
            raise
        if self._fatal is not None:
            raise self._fatal
        return self.tally

    def _work(self, items: Iterator[Line | BadLine]) -> None:
        try:
            while (line := self._next(items)) is not None:
                self._do(line)
        except BaseException as error:  # a thread has nobody to raise to: run() does
            with self._lock:
                if not self._stopped.is_set():
                    self._fatal = error
                    self._stopped.set()
                    self._synthesizer.close()

    def _next(self, items: Iterator[Line | BadLine]) -> Line | None:
        with self._reading:
            while not self._stopped.is_set():
                item = next(items, None)
                if item is None:
                    return None
                with self._lock:
                    if isinstance(item, BadLine):
                        self._fail(item.number, item.id, item.error)
                    elif self._journal.has(item):
                        self.tally.before += 1
                        self._on_change(self.tally)
                    else:
                        return item
        return None

    def _do(self, line: Line) -> None:
        try:
            speech = self._speak(line.request)
            with self._lock:
                path = self._journal.prepare(line)
            form = audio.format_of(path)
            audio.check_rate(path, form, speech.sample_rate)
            write(path, audio.encode(speech.samples, speech.sample_rate, form), prefix=TEMPORARY)
        except (DiskFull, GivenUp):
            raise
        except SpeechError as error:
            with self._lock:
                if not self._stopped.is_set():  # else it was cancelled, and failed at nothing
                    self._fail(line.number, line.id, error)
            return
        with self._lock:
            self._journal.add(line, _result(speech))
            self.tally.done += 1
            self.tally.audio_seconds += speech.duration
            self._on_change(self.tally)

    def _fail(self, number: int, name: str, error: SpeechError) -> None:
        self._journal.fail(number, name, error)
        self.tally.failed += 1
        self._on_failure(number, name, error)
        self._on_change(self.tally)

    def _speak(self, request: Request) -> Speech:
        """Ask until there is an answer or waiting is not worth it."""
        began: float | None = None  # of the trouble
        failed = 0
        while True:
            try:
                speech = self._synthesizer.synthesize(**asdict(request))
            except ServiceUnavailable as error:
                failed += 1
                began = began or time.monotonic()
                self._check_patience(error, request.voice, began)
                pause = min(FIRST_PAUSE * 2 ** (failed - 1), LONGEST_PAUSE)
                if error.retry_after is not None:
                    pause = error.retry_after
                self._stopped.wait(pause * random.uniform(1.0, 1.2))
                if self._stopped.is_set():
                    raise
            else:
                with self._lock:
                    self._last_success = time.monotonic()
                    self._ill.discard(request.voice)
                return speech

    def _check_patience(self, error: ServiceUnavailable, voice: str | None, began: float) -> None:
        """Raise what ends the waiting: for the whole batch if the server is away, for the item if it is ill."""
        now = time.monotonic()
        with self._lock:
            if isinstance(error, ServerUnreachable) or error.retry_after is not None:
                if now - max(self._last_success, began) > self._patience:
                    raise GivenUp(f"{error}; given up after {self._patience:g} s, run the batch again to go on")
                return
            # A voice that was waited for in vain is not waited for with each of its items.
            if voice in self._ill or now - began > min(ILL_SECONDS, self._patience):
                self._ill.add(voice)
                raise error


def _result(speech: Speech) -> dict[str, object]:
    return {
        "seconds": round(speech.duration, 3),
        "voice": speech.voice,
        "quality": speech.quality,
        "notices": [notice.message for notice in speech.notices],
    }
