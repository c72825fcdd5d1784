"""The models behind the front door, as functions.

They are reached through `Models`, so that this module needs no Triton. See docs/architecture.md for the tensors.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from chunks import Mel, Window, cut
from errors import RefusedError, TextRefusedError
from request import Arrays

Audio = npt.NDArray[np.float32]
Pcm = npt.NDArray[np.int16]

_FRONT = ("problem", "units", "unit_lengths", "speed", "pitch", "contour", "energy", "clauses")


class Models(Protocol):
    """Makes model-to-model calls for one request; `calls.Caller` does."""

    def __call__(self, model: str, inputs: Arrays, outputs: tuple[str, ...]) -> Arrays:
        """One inference."""
        ...

    def dismiss(self, model: str, inputs: Arrays, outputs: tuple[str, ...]) -> None:
        """One inference that only ends something, also for a request that is over."""

    def check(self) -> None:
        """Raises when the request is to end."""


@dataclass(frozen=True)
class Clause:
    """A clause as the text front end describes it; every array has a batch axis of one."""

    about: dict[str, Any]
    description: npt.NDArray[Any]
    units: npt.NDArray[np.int32]
    unit_lengths: npt.NDArray[np.int32]
    speed: npt.NDArray[np.float32]
    pitch: npt.NDArray[np.float32]
    contour: npt.NDArray[np.float32]
    energy: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Spectrogram:
    """A clause on its way to the vocoder: mel [1, M, bands] of which `total` frames are real, and when what is spoken.

    It is whole, and otherwise to be used as a `growing.GrowingMel` is.
    """

    mel: Mel
    total: int
    timing: dict[str, Any]

    def reach(self, frames: int) -> tuple[int, bool]:
        """How many frames there are, and that these are all."""
        return self.total, True

    def cut(self, window: Window) -> Mel:
        """A window's frames; beyond the end, the last frame again."""
        return cut(self.mel, window)

    def close(self) -> None:
        """Nobody needs any more of it: nothing is left to be done."""


@dataclass(frozen=True)
class StyleVector:
    """A style stage's answer, [S] each."""

    style: npt.NDArray[np.float32]
    certainty: npt.NDArray[np.float32]
    conflict: npt.NDArray[np.float32]


class Stages:
    """Calls each stage with what it takes.

    With `batching`, lengths fill whole buckets, so that clauses of several requests meet in a batch; without, a clause
    is no longer than it must be.
    """

    def __init__(self, models: Models, *, batching: bool) -> None:
        self.models = models
        self.batching = batching

    def plan(self, text: str, options: Arrays, *, clauses: bool) -> tuple[list[str], list[Clause] | None]:
        """The blocks of a text, JSON each; and, where its `clauses` are wanted and it is one block, those as well.

        Raises `RefusedError` and `TextRefusedError`.
        """
        inputs = {"TEXT": _strings(text)} | options
        answer = self.models("text_frontend", inputs, ("plan", *_FRONT) if clauses else ("plan", "problem"))
        _check(answer)
        blocks = [block.decode("utf-8") for block in answer["plan"]]
        return blocks, self._clauses(answer) if "clauses" in answer else None

    def clauses(self, block: str, style: npt.NDArray[np.float32] | None) -> list[Clause]:
        """The clauses of a block. Raises `RefusedError` and `TextRefusedError`."""
        inputs: Arrays = {"block": _strings(block)}
        if style is not None:
            inputs["style"] = style
        answer = self.models("text_frontend", inputs, _FRONT)
        _check(answer)
        return self._clauses(answer)

    def style(self, model: str, points: npt.NDArray[np.int32]) -> StyleVector:
        """An instruction's style vector; points [1, L] are its code points."""
        answer = self.models(model, {"instruction": points}, ("style", "certainty", "conflict"))
        return StyleVector(answer["style"][0], answer["certainty"][0], answer["conflict"][0])

    def spectrogram(self, clause: Clause) -> Spectrogram:
        """Encoder, aligner and decoder."""
        voice = clause.about["voice"]
        encoded = self.models(
            f"{voice}_encoder",
            {
                "units": clause.units,
                "unit_lengths": clause.unit_lengths,
                "pitch": clause.pitch,
                "contour": clause.contour,
            },
            ("hidden", "durations"),
        )
        aligned = self.models(
            "aligner",
            {
                "durations": encoded["durations"],
                "unit_lengths": clause.unit_lengths,
                "speed": clause.speed,
                "clauses": clause.description,
            },
            ("alignment", "frame_lengths", "timings"),
        )
        frames = {"alignment": aligned["alignment"], "frame_lengths": aligned["frame_lengths"]}
        decoded = self.models(f"{voice}_decoder", {"hidden": encoded["hidden"]} | frames, ("mel",))
        return Spectrogram(decoded["mel"], int(aligned["frame_lengths"][0, 0]), json.loads(aligned["timings"][0, 0]))

    def audio(self, model: str, mel: npt.NDArray[np.float32]) -> Audio:
        """A vocoder: mel [1, M, bands] → samples [1, M·hop]."""
        return self.models(model, {"mel": mel}, ("audio",))["audio"]

    def pcm(self, audio: Audio, clause: Clause, *, last: bool) -> Pcm:
        """Post-processing of a piece of a clause, the `last` or not: samples [1, n], whole frames → int16 [n]."""
        about = clause.about | {"words": [], "marks": [], "notices": [], "pause": 0.0}
        about |= {"frames": audio.shape[1] // clause.about["hop_length"], "continues": not last}
        timings = np.array([[json.dumps(about, ensure_ascii=False)]], dtype=np.object_)
        inputs = {"audio": audio, "timings": timings, "energy": clause.energy}
        return self.models("postprocess", inputs, ("AUDIO",))["AUDIO"]

    def _clauses(self, answer: Arrays) -> list[Clause]:
        return [self._clause(answer, i) for i in range(len(answer["clauses"]))]

    def _clause(self, answer: Arrays, i: int) -> Clause:
        row = slice(i, i + 1)
        about = json.loads(answer["clauses"][i, 0])
        if not self.batching:
            about |= {"unit_bucket": 1, "frame_bucket": about["frame_step"]}
        # Each clause is padded to its own bucket, not to the longest of its block: it meets more company in a batch.
        length = -(-int(answer["unit_lengths"][i, 0]) // about["unit_bucket"]) * about["unit_bucket"]
        # The windows of the vocoder repeat the last frame: the decoder need not.
        description = json.dumps(about | {"frame_tail": 0}, ensure_ascii=False)
        return Clause(
            about,
            np.array([[description.encode("utf-8")]], dtype=np.object_),
            answer["units"][row, :length],
            *(answer[name][row] for name in ("unit_lengths", "speed", "pitch", "contour", "energy")),
        )


def _strings(text: str) -> npt.NDArray[Any]:
    return np.array([text.encode("utf-8")], dtype=np.object_)


def _check(answer: Arrays) -> None:
    if answer["problem"][0]:
        problem = json.loads(answer["problem"][0])
        if problem["text"]:
            raise TextRefusedError(problem["message"])
        raise RefusedError(problem["message"], problem["code"])
