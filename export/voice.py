"""What a voice says of itself, to the text front end (`voice.json`) and to clients (the ensemble's parameters)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.mel import MelFormat

FILE_NAME = "voice.json"

# Feature of a linguistic unit → symbol → number, in the order in which a unit has them.
Symbols = dict[str, dict[str, int]]


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

    @classmethod
    def from_dict(cls, content: Mapping[str, Sequence[float]]) -> Limits:
        """What `as_dict` gave. Raises KeyError, ValueError and TypeError."""
        return cls(*(Range(*map(float, content[name])) for name in cls.__dataclass_fields__))


@dataclass(frozen=True)
class Voice:
    """One voice.

    `stages` are the roles of all its ONNX stages. `style` is the role of the stage that turns an instruction into a
    style vector, or None, and `style_controls` says what the elements of that vector are: names of `Limits`.
    `speakers` and `emotions` begin with the one that a request gets which names none. `qualities` maps each quality the
    voice has to the role of its vocoder stage, best first. `mel` is what its decoder makes. `max_units` is the longest
    clause in linguistic units; `unit_bucket` and `frame_bucket` are what lengths are rounded up to where clauses are to
    share a batch, and `frame_step` is what a frame axis must be a multiple of in any case; `frame_lead` and
    `frame_tail` are how many frames before and after it a vocoder's sample depends on (its receptive field).
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
    mel: MelFormat
    max_clauses: int
    max_units: int
    unit_bucket: int
    frame_bucket: int
    frame_step: int
    frame_lead: int
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

    def file(self, symbols: Symbols, sources: Mapping[str, str]) -> str:
        """The text of `voice.json`; `sources` are the checkpoint's files and their SHA-256."""
        own = {"limits": self.limits.as_dict(), "mel": self.mel.as_dict()}
        content = asdict(self) | own | {"symbols": symbols, "sources": dict(sources)}
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


@dataclass(frozen=True)
class VoiceFile:
    """A voice as its `voice.json` describes it."""

    voice: Voice
    symbols: Symbols
    sources: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> VoiceFile:
        """Read a `voice.json`. Raises `ExportError`."""
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            symbols, sources = content.pop("symbols"), content.pop("sources")
            own: dict[str, Any] = {
                "limits": Limits.from_dict(content["limits"]),
                "mel": MelFormat.from_dict(content["mel"]),
            }
            lists = {name: tuple(content[name]) for name in ("speakers", "emotions", "stages", "style_controls")}
            return cls(Voice(**content | own | lists), symbols, sources)
        except OSError as error:
            raise ExportError(f"cannot read {path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ExportError(f"{path} is no voice of this version ({error!r}): export the voice again") from error

    def text(self) -> str:
        """What `Voice.file` gives."""
        return self.voice.file(self.symbols, self.sources)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
