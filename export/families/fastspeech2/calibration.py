"""Real sentences, spoken by the voice itself, for the quantisation of its stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from export.bundle import Arrays, Stage
from export.errors import CheckpointError
from export.inference import in_double

# One sentence a line, as the symbols that the text front end makes of it.
SENTENCES = Path(__file__).with_name("calibration.txt")
# Copies of the last frame, as the aligner leaves room for.
_TAIL = 24


def alignments(encoder: Stage, symbols: dict[str, int]) -> list[Arrays]:
    """A decoder's inputs, a sentence each. Raises `CheckpointError` when the voice does not know a symbol."""
    return [_aligned(encoder, line.split(), symbols) for line in SENTENCES.read_text(encoding="utf-8").splitlines()]


def _aligned(encoder: Stage, sentence: list[str], symbols: dict[str, int]) -> Arrays:
    if missing := set(sentence) - set(symbols):
        raise CheckpointError(f"the checkpoint has no symbol {sorted(missing)[0]}, which calibration needs")
    units = np.array([symbols[symbol] for symbol in sentence], dtype=np.int32)
    encoded = in_double(
        encoder,
        {
            "units": units[None, :, None],
            "unit_lengths": np.array([[units.size]], dtype=np.int32),
            "pitch": np.zeros((1, 1), dtype=np.float32),
            "contour": np.ones((1, 1), dtype=np.float32),
        },
    )
    counts = np.maximum(np.rint(encoded["durations"][0]), 1).astype(np.int64)
    alignment = np.repeat(np.arange(units.size, dtype=np.int32), counts)
    return {
        "hidden": encoded["hidden"].astype(np.float32),
        "alignment": np.pad(alignment, (0, _TAIL), mode="edge")[None],
        "frame_lengths": np.array([[alignment.size]], dtype=np.int32),
    }


def mels(encoder: Stage, decoder: Stage, symbols: dict[str, int]) -> list[Arrays]:
    """A vocoder's inputs, a sentence each, all as long as the shortest.

    Raises `CheckpointError` when the voice does not know a symbol.
    """
    spoken = [in_double(decoder, one)["mel"].astype(np.float32) for one in alignments(encoder, symbols)]
    shortest = min(mel.shape[1] for mel in spoken)
    return [{"mel": mel[:, :shortest]} for mel in spoken]
