"""The blocks of a plan: what the router gets of a request, and sends back one by one to be spoken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from controls import Shift
from mandarin import Notice, Place, Span, has_words
from markup import Manner
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
    characters: int = 0

    def dump(self) -> str:
        """The block as JSON text."""
        content = {"silence": self.seconds, "marks": self.marks, "characters": self.characters}
        return json.dumps(content, ensure_ascii=False)


@dataclass(frozen=True)
class Speech:
    """Whole sentences in one voice and manner, or the part of a sentence that has a manner of its own.

    `spans` and `places` count in its own `text`. `asked` are the request's explicit controls, which the manner's shift
    comes on top of; `notices` are what the plan found out about the whole request: they travel with its first words.
    With `flows_in` there is no pause of the voice's own before it, with `flows_on` none after it.
    """

    text: str
    manner: Manner
    spans: tuple[Span, ...] = ()
    places: tuple[Place, ...] = ()
    characters: int = 0
    asked: Mapping[str, float] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    flows_in: bool = False
    flows_on: bool = False

    @property
    def worded(self) -> bool:
        """Whether it surely has something to say."""
        return bool(self.spans) or has_words(self.text)

    def dump(self, voice: VoiceFile) -> str:
        """The block as JSON text, with what the router must know of its voice."""
        content = {
            "voice": voice.name,
            "style": voice.style,
            "style_controls": voice.style_controls,
            "stages": voice.stages,
            "vocoders": voice.vocoders,
            "sample_rate": voice.sample_rate,
            "generation": voice.generation,
            "design": voice.design,
            "characters": self.characters,
            "text": self.text,
            "manner": asdict(self.manner),
            "spans": [[span.start, span.end, span.kind, span.value] for span in self.spans],
            "places": [[place.name, place.at] for place in self.places],
            "asked": dict(self.asked),
            "notices": [asdict(notice) for notice in self.notices],
            "flows": [self.flows_in, self.flows_on],
        }
        return json.dumps(content, ensure_ascii=False)

    @classmethod
    def load(cls, text: str) -> Speech:
        """The block that `dump` wrote. Raises `BlockError`."""
        try:
            content: dict[str, Any] = json.loads(text)
            flows_in, flows_on = map(bool, content["flows"])
            manner = dict(content["manner"])
            typed = {"shift": Shift(**manner["shift"]), "intensity": float(manner["intensity"])}
            return cls(
                text=str(content["text"]),
                manner=Manner(**manner | typed),
                spans=tuple(Span(int(start), int(end), kind, value) for start, end, kind, value in content["spans"]),
                places=tuple(Place(str(name), int(at)) for name, at in content["places"]),
                characters=int(content["characters"]),
                asked={str(name): float(value) for name, value in content["asked"].items()},
                notices=tuple(Notice(**notice) for notice in content["notices"]),
                flows_in=flows_in,
                flows_on=flows_on,
            )
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise BlockError("block is none that `plan` gave as speech: send it back as it came") from error


Block = Silence | Speech
