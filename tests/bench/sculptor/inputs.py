"""Inputs of a designed voice's stages, as the service makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.bundle import Arrays
from export.families.sculptor.cosyvoice_config import BANDS, FRAMES_PER_TOKEN, TOKEN_RATE

CODES, XCODEC2_CODES = 6561, 65536
XVECTOR = 192
XCODEC2_RATE = 50
# Of attention, in tokens, as the service always has it.
CHUNK = 25


@dataclass(frozen=True)
class Piece:
    """A piece of text: speech tokens of the sentence that prompts it, and its own."""

    prompt: int
    tokens: int

    @property
    def seconds(self) -> float:
        """Of its audio."""
        return self.tokens / TOKEN_RATE


# A designed voice's sentence of seven seconds, and a clause of five.
USUAL = Piece(175, 125)
SHORT = Piece(20, 20)


def flow(pieces: Sequence[Piece], seed: int = 0) -> Arrays:
    """Finished pieces side by side, each padded to the longest; a row depends on the seed and its place alone."""
    longest = max(piece.prompt + piece.tokens for piece in pieces)
    prompts = max(piece.prompt for piece in pieces) * FRAMES_PER_TOKEN
    frames = max(piece.tokens for piece in pieces) * FRAMES_PER_TOKEN
    batch = len(pieces)
    made: Arrays = {
        "tokens": np.zeros((batch, longest), np.int32),
        "token_lengths": np.zeros((batch, 1), np.int32),
        "held": np.zeros((batch, 1), np.int32),
        "prompt_mel": np.zeros((batch, prompts, BANDS), np.float32),
        "prompt_lengths": np.zeros((batch, 1), np.int32),
        "xvector": np.zeros((batch, XVECTOR), np.float32),
        "chunk": np.full((batch, 1), CHUNK, np.int32),
        "positions": np.full((batch, frames), -1, np.float32),
    }
    for row, piece in enumerate(pieces):
        draws = np.random.default_rng((seed, row))
        known, before = piece.prompt + piece.tokens, piece.prompt * FRAMES_PER_TOKEN
        made["tokens"][row, :known] = draws.integers(0, CODES, known)
        made["token_lengths"][row] = known
        made["prompt_mel"][row, :before] = draws.normal(-4, 2, (before, BANDS))
        made["prompt_lengths"][row] = before
        made["xvector"][row] = draws.standard_normal(XVECTOR)
        own = piece.tokens * FRAMES_PER_TOKEN
        made["positions"][row, :own] = before + np.arange(own)
    return made


def alone(inputs: Arrays, row: int, piece: Piece) -> Arrays:
    """A row of `flow`'s inputs by itself, without padding."""
    lengths = {
        "tokens": piece.prompt + piece.tokens,
        "prompt_mel": piece.prompt * FRAMES_PER_TOKEN,
        "positions": piece.tokens * FRAMES_PER_TOKEN,
    }
    return {name: value[row : row + 1, : lengths.get(name, value.shape[1])] for name, value in inputs.items()}


def xcodec2(batch: int, codes: int, seed: int = 0) -> Arrays:
    """Codes of clips that are equally long."""
    return {"codes": np.random.default_rng(seed).integers(0, XCODEC2_CODES, (batch, codes)).astype(np.int32)}
