"""Chunks put together: what they tell, and where it is wanted all at once, a ``Speech``."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ._errors import ProtocolError
from ._models import Chunk, Clause, Mark, Notice, Progress
from ._speech import Speech


class Account:
    """Keeps what the chunks of one request tell, but not their samples. Its clock starts when it is made.

    Attributes:
        samples: how many came.
        sample_rate: in Hz, 0 before the first.
        voice: the voice that speaks.
        quality: the quality that it speaks with.
        first_audio: seconds to the first samples, 0 before.
        elapsed: seconds to the last chunk.
    """

    def __init__(self, on_progress: Callable[[Progress], object] | None = None) -> None:
        self._on_progress = on_progress
        self._started = time.monotonic()
        # A clause that is told twice is one: the last one counts.
        self._clauses: dict[tuple[float, str], Clause] = {}
        self._marks: dict[Mark, None] = {}
        self._notices: dict[Notice, None] = {}
        self.samples = 0
        self.sample_rate = 0
        self.voice = ""
        self.quality = ""
        self.first_audio = 0.0
        self.elapsed = 0.0

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The clauses so far."""
        return tuple(self._clauses.values())

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks so far."""
        return tuple(self._marks)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """The notices so far, each once."""
        return tuple(self._notices)

    @property
    def seconds(self) -> float:
        """Seconds of audio so far."""
        return self.samples / self.sample_rate if self.samples else 0.0

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk.

        Raises:
            ProtocolError: it contradicts an earlier one.
        """
        self.elapsed = time.monotonic() - self._started
        if chunk.samples.size:
            if chunk.sample_rate <= 0 or self.sample_rate not in (0, chunk.sample_rate):
                raise ProtocolError(
                    f"the server changed the sample rate from {self.sample_rate} to {chunk.sample_rate} Hz "
                    "within one answer: it is broken"
                )
            self.first_audio = self.first_audio or self.elapsed
            self.sample_rate = chunk.sample_rate
            self.samples += chunk.samples.size
        self._clauses.update({(clause.start, clause.text): clause for clause in chunk.clauses})
        self._marks.update(dict.fromkeys(chunk.marks))
        self._notices.update(dict.fromkeys(chunk.notices))
        self.voice = self.voice or chunk.voice
        self.quality = self.quality or chunk.quality
        if chunk.progress is not None and self._on_progress is not None:
            self._on_progress(chunk.progress)

    def check(self) -> None:
        """See that there was audio when the answer is over.

        Raises:
            ProtocolError: there was none.
        """
        if not self.samples:
            raise ProtocolError("the server answered without audio: see its log")


class Assembly(Account):
    """An account that keeps the samples, too."""

    def __init__(self, on_progress: Callable[[Progress], object] | None = None) -> None:
        super().__init__(on_progress)
        self._pieces: list[np.ndarray[tuple[int], np.dtype[np.int16]]] = []

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk; see ``Account.add``."""
        super().add(chunk)
        self._pieces.append(chunk.samples)

    def finish(self) -> Speech:
        """All of it.

        Raises:
            ProtocolError: there was no audio.
        """
        self.check()
        return Speech(
            samples=np.concatenate(self._pieces),
            sample_rate=self.sample_rate,
            clauses=self.clauses,
            notices=self.notices,
            voice=self.voice,
            quality=self.quality,
            first_audio=self.first_audio,
            elapsed=self.elapsed,
            marks=self.marks,
        )
