"""A piece's mel frames from its speech tokens, chunk by chunk while the tokens are still being written.

The flow attends within chunks of tokens, counted from the prompt's start, and what is before. So the frames of a whole
chunk, of which the look-ahead is known, are final, and the mel does not depend on when it was asked for.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from design import Prompt
from generation import Generation, Ids
from request import Arrays
from stages import Models

Mel = npt.NDArray[np.float32]

# How much longer each stretch of tokens is than the one before: every call begins at the prompt, and so all of them
# together cost about twice as much as one.
_GROWTH = 2
# The stage's axes are no shorter; see `export/families/sculptor/flow_stage.py`.
_SHORTEST = 32
_ROUNDING = 1e-6


class Flow:
    """The frames of one piece at `speed` times its natural speed.

    The first call is made as soon as that gives `first` frames; `hop` is how many tokens the second one is for.
    `bucket` is what the frame axis is rounded up to; with `batching`, the others are rounded up, too.
    """

    def __init__(
        self,
        models: Models,
        model: str,
        generation: Generation,
        prompt: Prompt,
        speed: float,
        *,
        first: int,
        hop: int,
        bucket: int,
        batching: bool,
    ) -> None:
        self._models = models
        self._model = model
        self._settings = generation
        self._prompt = prompt
        self._speed = speed
        self._bucket = bucket
        self._batching = batching
        self._given = 0
        self._hop = hop
        chunk = generation.chunk_tokens
        # Where the next call ends, in tokens from the prompt's start: the end of a chunk.
        self._until = (prompt.codes.size // chunk + 1) * chunk
        while self._settled(self._until) < first:
            self._until += chunk

    @property
    def due(self) -> int:
        """How many codes must be written for the next call."""
        return self._until + self._settings.look_ahead_tokens - self._prompt.codes.size

    def more(self, codes: Ids) -> Mel:
        """The frames [1, m, bands] that are final now that `due` codes are written, or more."""
        settings = self._settings
        held, until = settings.look_ahead_tokens, self._until
        positions = self._positions(until)
        mel = self._call(codes[: self.due], held, positions)
        frames = mel[:, self._given : self._settled(until)]
        self._given += frames.shape[1]
        self._until += self._hop
        self._hop *= _GROWTH
        return frames

    def rest(self, codes: Ids) -> Mel:
        """All other frames [1, m, bands]; `codes` are complete."""
        known = self._settings.frames_per_token * codes.size
        steps = self._speed * np.arange(max(1, round(known / self._speed)), dtype=np.float64)
        mel = self._call(codes, 0, self._start + np.minimum(steps, float(known - 1)))
        return mel[:, self._given :]

    @property
    def _start(self) -> float:
        """The frame where the prompt ends."""
        return float(self._settings.frames_per_token * self._prompt.codes.size)

    def _positions(self, until: int) -> npt.NDArray[np.float64]:
        """The frames to show of the tokens up to `until`: all that have both their neighbours."""
        last = self._settings.frames_per_token * until - self._start - 1
        return self._start + self._speed * np.arange(int(last / self._speed + _ROUNDING) + 1, dtype=np.float64)

    def _settled(self, until: int) -> int:
        """How many frames of the piece are final with the tokens up to `until`."""
        return max(0, self._positions(until).size - self._settings.unsettled_frames)

    def _call(self, codes: Ids, held: int, positions: npt.NDArray[np.float64]) -> Mel:
        """The frames at `positions`, [1, m, bands]."""
        prompt, chunk = self._prompt, self._settings.chunk_tokens
        tokens = np.concatenate([prompt.codes, codes])
        inputs: Arrays = {
            "tokens": self._padded(tokens, chunk),
            "prompt_mel": self._padded(prompt.mel, self._settings.frames_per_token * chunk),
            "xvector": prompt.xvector,
            "positions": _padded(positions.astype(np.float32), self._bucket, -1.0),
        }
        numbers = {"token_lengths": tokens.size, "held": held, "prompt_lengths": len(prompt.mel), "chunk": chunk}
        inputs |= {name: np.array([value], dtype=np.int32) for name, value in numbers.items()}
        answer = self._models(self._model, {name: value[None] for name, value in inputs.items()}, ("mel",))
        return answer["mel"][:, : positions.size]

    def _padded(self, rows: npt.NDArray[np.generic], bucket: int) -> npt.NDArray[np.generic]:
        return _padded(rows, bucket if self._batching else 1, 0)


def _padded(rows: npt.NDArray[np.generic], bucket: int, value: float) -> npt.NDArray[np.generic]:
    length = -(-max(len(rows), _SHORTEST) // bucket) * bucket
    padded = np.full((length, *rows.shape[1:]), value, dtype=rows.dtype)
    padded[: len(rows)] = rows
    return padded
