"""Real sentences, spoken by the voice itself, for the quantisation of its stages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from export.bundle import Arrays, Stage
from export.errors import CheckpointError
from export.rehearsal import rehearse, sentence

# One sentence a line, as the symbols that the text front end makes of it.
SENTENCES = Path(__file__).with_name("calibration.txt")


def spoken(stages: Sequence[Stage], symbols: dict[str, int]) -> list[dict[str, Arrays]]:
    """What each of the stages takes, by their roles, when the voice speaks; a sentence each.

    Raises `CheckpointError` when the voice does not know a symbol.
    """
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    return [rehearse(stages, _units(line.split(), symbols)) for line in lines]


def _units(words: list[str], symbols: dict[str, int]) -> Arrays:
    if missing := set(words) - set(symbols):
        raise CheckpointError(f"the checkpoint has no symbol {sorted(missing)[0]}, which calibration needs")
    return sentence(np.array([[symbols[symbol]] for symbol in words], dtype=np.int32))


def equally_long(mels: Sequence[Arrays]) -> list[Arrays]:
    """A vocoder's inputs, all as long as the shortest."""
    shortest = min(one["mel"].shape[1] for one in mels)
    return [{"mel": one["mel"][:, :shortest]} for one in mels]
