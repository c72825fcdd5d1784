"""The result of a synthesis."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import audio, subtitles
from ._errors import ProtocolError
from ._models import Clause, Mark, Notice, Word


@dataclass(frozen=True, eq=False)
class Speech:
    """Spoken text.

    Attributes:
        samples: int16 PCM, mono, shape ``[n]``.
        sample_rate: in Hz.
        clauses: the pieces of the text in order, with their words' and phones' times in seconds.
        notices: what was done differently from what was asked.
        voice: the voice that spoke.
        quality: the quality that it spoke with.
        first_audio: seconds from the request to the first samples.
        elapsed: seconds from the request to the last samples.
        marks: those that were set in the text, with their times.
    """

    samples: NDArray[np.int16]
    sample_rate: int
    clauses: tuple[Clause, ...]
    notices: tuple[Notice, ...]
    voice: str
    quality: str
    first_audio: float
    elapsed: float
    marks: tuple[Mark, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds of audio."""
        return len(self.samples) / self.sample_rate

    @property
    def words(self) -> tuple[Word, ...]:
        """The words of all clauses."""
        return tuple(word for clause in self.clauses for word in clause.words)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the audio to ``path``; its ending says how: ``.wav``, ``.flac``, ``.opus`` or ``.ogg``.

        The file appears complete or not at all.

        Raises:
            OutputError: the directory or the ending is wrong, or the format cannot hold this sample rate.
            DiskFull: there is no room for it.
        """
        audio.save(path, self.samples, self.sample_rate)

    def srt(self) -> str:
        """Subtitles in SubRip format.

        Raises:
            ProtocolError: the server sent no times.
        """
        text = subtitles.srt(self.clauses)
        if not text:
            raise ProtocolError("the server sent no times with this audio, so there can be no subtitles")
        return text
