"""What a voice says of itself, to the text front end (`voice.json`) and to clients (the ensemble's parameters)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

FILE_NAME = "voice.json"


@dataclass(frozen=True)
class Range:
    """Smallest and largest value of a control within which the voice stays intelligible."""

    low: float
    high: float


@dataclass(frozen=True)
class Limits:
    """Control ranges.

    `speed` is a factor (more is faster), `pitch` in semitones, `contour` a factor of the pitch's own movement (0 is
    monotonous), `energy` in dB.
    """

    speed: Range
    pitch: Range
    contour: Range
    energy: Range

    def as_dict(self) -> dict[str, list[float]]:
        """The form that clients read."""
        return {name: [value["low"], value["high"]] for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Voice:
    """One voice.

    `stages` are the roles of all its ONNX stages. `style` is the role of the stage that turns an instruction into a
    style vector, or None, and `style_controls` says what the elements of that vector are: names of `Limits`.
    `qualities` maps each quality the voice has to the role of its vocoder stage, best first. `max_units` is the longest
    clause in linguistic units; `unit_bucket` and `frame_bucket` are what lengths are rounded up to; `frame_tail` is how
    many copies of the last frame the vocoder needs after it (its receptive field).
    """

    name: str
    family: str
    language: str
    sample_rate: int
    hop_length: int
    speakers: tuple[str, ...]
    emotions: tuple[str, ...]
    qualities: dict[str, str]
    stages: tuple[str, ...]
    style: str | None
    style_controls: tuple[str, ...]
    limits: Limits
    max_clauses: int
    max_units: int
    unit_bucket: int
    frame_bucket: int
    frame_tail: int

    def parameters(self, qualities: Sequence[str]) -> dict[str, str]:
        """The ensemble's config parameters: all that a client and the router know of a voice.

        `qualities` are those that are offered.
        """
        return {
            "family": self.family,
            "language": self.language,
            "sample_rate": str(self.sample_rate),
            "hop_length": str(self.hop_length),
            "speakers": _json(list(self.speakers)),
            "emotions": _json(list(self.emotions)),
            "qualities": _json(list(qualities)),
            "stages": _json(list(self.stages)),
            "style": self.style or "",
            "limits": _json(self.limits.as_dict()),
            "max_clauses": str(self.max_clauses),
        }

    def file(self, symbols: dict[str, int]) -> str:
        """The text of `voice.json`."""
        content = asdict(self) | {"limits": self.limits.as_dict(), "symbols": symbols}
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
