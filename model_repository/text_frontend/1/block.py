"""The blocks of a plan: what the router gets of a request, and sends back one by one to be spoken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from controls import NATURAL, Shift
from mandarin import Notice
from voice_file import VoiceFile


class BlockError(ValueError):
    """A text that is no speech block of a plan."""


@dataclass(frozen=True)
class Silence:
    """An explicit break of `seconds`, which replaces the natural pause where it stands.

    `marks` are named at its start; `characters` counts those of the request's text that belong to it.
    """

    seconds: float
    marks: tuple[str, ...]
    characters: int

    def dump(self) -> str:
        """The block as JSON text."""
        content = {"silence": self.seconds, "marks": self.marks, "characters": self.characters}
        return json.dumps(content, ensure_ascii=False)


@dataclass(frozen=True)
class Speech:
    """Whole sentences in one voice and manner, or the part of a sentence that has a manner of its own.

    `asked` are the request's explicit controls, `shift` what markup does to them; `notices` are what the plan found
    out about the whole request, and travel with its first speech.
    """

    text: str
    voice: str
    speaker: str | None
    emotion: str | None
    characters: int
    asked: Mapping[str, float] = field(default_factory=dict)
    shift: Shift = NATURAL
    notices: tuple[Notice, ...] = ()

    def dump(self, voice: VoiceFile) -> str:
        """The block as JSON text, with what the router must know of its voice."""
        routing = {
            "style": voice.style,
            "stages": voice.stages,
            "vocoders": voice.vocoders,
            "sample_rate": voice.sample_rate,
        }
        return json.dumps(asdict(self) | routing, ensure_ascii=False)

    @classmethod
    def load(cls, text: str) -> Speech:
        """The block that `dump` wrote. Raises `BlockError`."""
        try:
            content: dict[str, Any] = json.loads(text)
            return cls(
                text=str(content["text"]),
                voice=str(content["voice"]),
                speaker=content["speaker"],
                emotion=content["emotion"],
                characters=int(content["characters"]),
                asked={str(name): float(value) for name, value in content["asked"].items()},
                shift=Shift(**content["shift"]),
                notices=tuple(Notice(**notice) for notice in content["notices"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BlockError("block is none that `plan` gave as speech: send it back as it came") from error
