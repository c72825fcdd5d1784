"""Real sentences, spoken by the voice itself, for the quantisation of its vocoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from export.bundle import Arrays, Stage
from export.errors import CheckpointError
from export.rehearsal import rehearse, sentence
from export.voice import Symbols

# One sentence a line, as the text front end's symbols of each unit for these features, by a speaker without emotion.
SENTENCES = Path(__file__).with_name("calibration.txt")
_FEATURES = ("sy", "tone", "syllable_flag", "word_segment", "emo_category")
# The first speaker, and the intensity of the emotion in per cent.
_MANNER = (0, 100)


def spoken(stages: Sequence[Stage], symbols: Symbols) -> list[dict[str, Arrays]]:
    """What each of the stages takes, by their roles, when the voice speaks; a sentence each.

    Raises `CheckpointError` when the voice does not know a symbol.
    """
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    return [rehearse(stages, sentence(_units(line.split(), symbols))) for line in lines]


def _units(units: list[str], symbols: Symbols) -> npt.NDArray[np.int32]:
    try:
        rows = [
            [symbols[name][value] for name, value in zip(_FEATURES, unit.split("$"), strict=True)] for unit in units
        ]
    except KeyError as error:
        raise CheckpointError(f"the voice has no symbol {error}, which calibration for int8 needs") from error
    return np.array([[*row, *_MANNER] for row in rows], dtype=np.int32)
