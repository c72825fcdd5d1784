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
class Generation:
    """How a voice speaks whose language model writes speech tokens, of which a flow makes the spectrogram (CosyVoice2).

    `lm` and `flow` are the roles of their stages. In the language model's vocabulary, text is followed by the marks
    `sos` and `task`, and by the speech tokens from `first_code` on. The flow attends within chunks of `chunk_tokens`,
    looks `look_ahead_tokens` ahead, and makes `frames_per_token` frames of each token; the last `unsettled_frames` may
    change while tokens are still to come. A piece of n linguistic units has from `least_per_unit` to `most_per_unit`
    tokens for each of them, and no more than `max_tokens`.
    """

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


@dataclass(frozen=True)
class Design:
    """What a voice can be told about how to sound, besides an instruction in words.

    `attributes` are names and the values that each may have, in the order in which the style stage takes them;
    `tag_of_emotion` says which value of the attribute `emotion` stands for an emotion of the voice. `instruction` is
    followed where a request has none; `max_instruction` is the most characters of one.
    """

    attributes: dict[str, tuple[str, ...]]
    tag_of_emotion: dict[str, str]
    instruction: str
    max_instruction: int

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Design:
        """What `dataclasses.asdict` made of one, also by way of JSON. Raises KeyError, ValueError and TypeError."""
        attributes = {str(name): tuple(values) for name, values in content["attributes"].items()}
        return cls(**{**content, "attributes": attributes})


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
    `generation` and `design` are for voices whose speech is generated token by token, after an instruction in words.
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
    generation: Generation | None = None
    design: Design | None = None

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
            "attributes": _json({} if self.design is None else self.design.attributes),
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
                "generation": content["generation"] and Generation(**content["generation"]),
                "design": content["design"] and Design.from_dict(content["design"]),
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
