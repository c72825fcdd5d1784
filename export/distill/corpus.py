"""Sentences as the text front end gives them to the demo voice, each clause spoken in a manner of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, log
from random import Random

import numpy as np
import numpy.typing as npt
from mandarin import BakerUnits, Frontend

from export.distill.sentences import Sentence
from export.voice import Limits, Range

# Half of what is said: the rest is spread over all that the voice is allowed.
_NATURAL = 0.5


@dataclass(frozen=True)
class Utterance:
    """A clause: `units` [T] int32, of which `pauses` are silent, and its manner within the limits of the voice."""

    units: npt.NDArray[np.int32]
    pauses: list[int]
    speed: float
    pitch: float
    contour: float


def utterances(
    sentences: Iterable[Sentence], seed: int, symbols: Mapping[str, int], limits: Limits, max_units: int
) -> list[list[Utterance]]:
    """The clauses of each sentence, of at most `max_units` units, in the same manner for the same seed."""
    frontend, encoder = Frontend(), BakerUnits({"phone": symbols})
    random = Random(seed)
    made = []
    for sentence in sentences:
        analysis = frontend.analyze(sentence.text, unit_count=encoder.count, max_units=max_units, spans=sentence.spans)
        encoded = [encoder.encode(clause) for clause in analysis.clauses]
        made.append([Utterance(each.ids[:, 0], each.pauses, *_manner(random, limits)) for each in encoded])
    return made


def _manner(random: Random, limits: Limits) -> tuple[float, float, float]:
    """Speed, pitch and contour."""
    if random.random() < _NATURAL:
        return 1.0, 0.0, 1.0
    pitch = random.uniform(limits.pitch.low, limits.pitch.high)
    return _factor(random, limits.speed), pitch, _factor(random, limits.contour)


def _factor(random: Random, limits: Range) -> float:
    return exp(random.uniform(log(limits.low), log(limits.high)))
