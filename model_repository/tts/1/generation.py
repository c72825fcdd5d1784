"""Speech tokens, as a voice's language model writes them (CosyVoice2's way of speaking)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from design import Prompt
from errors import CancelledError, StageError, UnavailableError
from request import Arrays
from stages import Models

Ids = npt.NDArray[np.int32]

# How often new codes are asked for, where somebody waits for them and where nobody does. One writes 20 to 100 a second.
_SOON_SECONDS, _LATER_SECONDS = 0.02, 0.05
# What the language model says where it was loaded anew in between.
_LOST = "NOT_FOUND: no generation"
_KINDS: Mapping[str, Callable[[Any], Any]] = {"lm": str, "flow": str}


@dataclass(frozen=True)
class Generation:
    """How a voice generates; see `export/voice.py` for the meaning of each field."""

    lm: str
    flow: str
    sos: int
    task: int
    first_code: int
    chunk_tokens: int
    look_ahead_tokens: int
    frames_per_token: int
    unsettled_frames: int
    least_per_unit: int
    most_per_unit: int
    max_tokens: int

    @classmethod
    def parse(cls, content: Mapping[str, Any], voice: str) -> Generation:
        """What a plan's block says of its voice. Raises `UnavailableError`."""
        try:
            return cls(**{field.name: _KINDS.get(field.name, int)(content[field.name]) for field in fields(cls)})
        except (KeyError, ValueError, TypeError) as error:
            raise UnavailableError(f"voice '{voice}' says not how it generates ({error!r}): export it again") from error


@dataclass(frozen=True)
class Written:
    """New codes [n], and why there are no more: "" while there may be, "stop" or "length"."""

    codes: Ids
    end: str


class Writing:
    """The speech tokens of one piece of text, `units` [T] of the voice's tokenizer; iterate over `codes`.

    There are from `least` to `most` of them, and they depend on the prompt, the text and the seed alone.
    """

    def __init__(self, models: Models, model: str, generation: Generation, prompt: Prompt, units: Ids) -> None:
        self._models = models
        self._model = model
        self._ended = threading.Event()
        sos, task = [generation.sos], [generation.task]
        # Upstream's zero-shot order: the prompt's words and the new ones, then what is spoken of them already.
        self._prompt = np.concatenate([sos, prompt.text, units, task, generation.first_code + prompt.codes])
        self.most = min(generation.most_per_unit * len(units), generation.max_tokens)
        self.least = min(generation.least_per_unit * len(units), self.most)

    def codes(self, seed: int, urgent: Callable[[], bool]) -> Generator[Written, None, None]:
        """The codes as they are written, asked for more often while `urgent`. Closing this ends the writing.

        Raises what the stages raise, and `CancelledError` once `end` was called.
        """
        given = 0
        for _ in range(2):
            # One whose process died is asked from the start: it writes the same again.
            skip = given
            try:
                with closing(self._attempt(seed, urgent)) as attempt:
                    for written in attempt:
                        fresh = written.codes[skip:]
                        skip -= written.codes.size - fresh.size
                        given += fresh.size
                        yield Written(fresh, written.end)
                return
            except StageError as error:
                if _LOST not in str(error):
                    raise
        raise StageError(f"{self._model} lost what it was writing, twice: try again")

    def end(self) -> None:
        """Have the language model write no more, from any thread."""
        self._ended.set()

    def _attempt(self, seed: int, urgent: Callable[[], bool]) -> Generator[Written, None, None]:
        """The codes of one generation. It is begun by one call and asked for by others: Triton 2.51 crashes where one
        model's stream goes to another."""
        key: Arrays = {"key": np.array([uuid4().hex.encode()], dtype=np.object_)}
        numbers = {"seed": seed, "least": self.least, "most": self.most}
        begin = {name: np.array([value], dtype=np.int32) for name, value in numbers.items()}
        outputs = ("tokens", "end")
        end = ""
        self._models(self._model, key | begin | {"prompt": self._prompt.astype(np.int32)}, outputs)
        try:
            while not end:
                if self._ended.wait(_SOON_SECONDS if urgent() else _LATER_SECONDS):
                    raise CancelledError
                answer = self._models(self._model, key, outputs)
                end = answer["end"][0].decode()
                if end == "abort":
                    raise CancelledError
                yield Written(answer["tokens"], end)
        finally:
            if not end:
                self._models.dismiss(self._model, key | {"abort": np.ones(1, dtype=np.int32)}, outputs)


def derived_seed(seed: int, *place: int) -> int:
    """The seed of a part of a request, at `place`: the same part of the same request has the same."""
    return int(np.random.SeedSequence([seed, *place]).generate_state(1)[0] >> 1)
