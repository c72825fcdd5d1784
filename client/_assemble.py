"""Chunks put together to a ``Speech``."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ._errors import ProtocolError
from ._models import Chunk, Clause, Notice, Progress
from ._speech import Speech


class Assembly:
    """Collects the chunks of one request. Its clock starts when it is made."""

    def __init__(self, on_progress: Callable[[Progress], object] | None = None) -> None:
        self._on_progress = on_progress
        self._started = time.monotonic()
        self._first_audio = 0.0
        self._samples: list[np.ndarray[tuple[int], np.dtype[np.int16]]] = []
        self._sample_rate = 0
        # A clause that is spoken over several responses may come with each: the last one counts.
        self._clauses: dict[tuple[float, str], Clause] = {}
        self._notices: dict[Notice, None] = {}
        self._voice = ""
        self._quality = ""

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk.

        Raises:
            ProtocolError: it contradicts an earlier one.
        """
        if chunk.samples.size:
            if chunk.sample_rate <= 0 or self._sample_rate not in (0, chunk.sample_rate):
                raise ProtocolError(
                    f"the server changed the sample rate from {self._sample_rate} to {chunk.sample_rate} Hz "
                    "within one answer: it is broken"
                )
            self._first_audio = self._first_audio or time.monotonic() - self._started
            self._sample_rate = chunk.sample_rate
            self._samples.append(chunk.samples)
        self._clauses.update({(clause.start, clause.text): clause for clause in chunk.clauses})
        self._notices.update(dict.fromkeys(chunk.notices))
        self._voice = self._voice or chunk.voice
        self._quality = self._quality or chunk.quality
        if chunk.progress is not None and self._on_progress is not None:
            self._on_progress(chunk.progress)

    def finish(self) -> Speech:
        """All of it.

        Raises:
            ProtocolError: there was no audio.
        """
        if not self._samples:
            raise ProtocolError("the server answered without audio: see its log")
        return Speech(
            samples=np.concatenate(self._samples),
            sample_rate=self._sample_rate,
            clauses=tuple(self._clauses.values()),
            notices=tuple(self._notices),
            voice=self._voice,
            quality=self._quality,
            first_audio=self._first_audio,
            elapsed=time.monotonic() - self._started,
        )
