"""A request, checked as far as the client can be certain. The server checks the rest."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TypedDict

from ._errors import InvalidRequest

QUALITIES = {"high": "高保真", "balanced": "平衡", "fast": "快速"}
"""Each quality and its Chinese name, best first. Both are accepted."""

BOUNDS = {"speed": (0.5, 2.0), "pitch": (-12.0, 12.0), "energy": (-12.0, 12.0)}
"""What a request may ask for: speed as a factor, pitch in semitones, energy in dB.

A voice may do less; inside these bounds the server clamps to what it can do and says so in a notice.
"""

MAX_STYLE = 500
"""Most characters of a style."""

MAX_SEED = 2**31 - 1
"""The largest seed."""


class Options(TypedDict, total=False):
    """What a request may ask for besides its text. What is left out or ``None``, the server chooses.

    Keys:
        voice: a name from ``voices()``.
        quality: ``high``, ``balanced`` or ``fast``, or 高保真, 平衡 or 快速.
        speaker: one of the voice's speakers.
        emotion: one of the voice's emotions.
        style: the name of a preset (see ``styles()``) or an instruction in plain words, up to ``MAX_STYLE`` characters.
        dictionary: how to say words: each to its reading, pinyin with tone digits (``"chong2 qing4"``) or other text.
        speed: 0.5 to 2.0, more is faster.
        pitch: -12 to 12 semitones.
        energy: -12 to 12 dB.
        attributes: of a voice that is designed, what it is to be like beside the style: each name to one of its values
            in the voice's table (``Voice.attributes``), such as ``{"gender": "女性"}``.
        seed: of what a voice draws at random, 0 to ``MAX_SEED``: the same one gives the same audio.
    """

    voice: str | None
    quality: str | None
    speaker: str | None
    emotion: str | None
    style: str | None
    dictionary: Mapping[str, str] | None
    speed: float | None
    pitch: float | None
    energy: float | None
    attributes: Mapping[str, str] | None
    seed: int | None


@dataclass(frozen=True)
class Request:
    """What goes to the front door; ``None`` leaves the choice to the server."""

    text: str
    voice: str | None = None
    quality: str | None = None
    speaker: str | None = None
    emotion: str | None = None
    style: str | None = None
    dictionary: Mapping[str, str] | None = None
    speed: float | None = None
    pitch: float | None = None
    energy: float | None = None
    attributes: Mapping[str, str] | None = None
    seed: int | None = None

    @classmethod
    def checked(
        cls,
        text: str,
        *,
        voice: str | None = None,
        quality: str | None = None,
        speaker: str | None = None,
        emotion: str | None = None,
        style: str | None = None,
        dictionary: Mapping[str, str] | None = None,
        speed: float | None = None,
        pitch: float | None = None,
        energy: float | None = None,
        attributes: Mapping[str, str] | None = None,
        seed: int | None = None,
    ) -> Request:
        """A request whose values have the right types and lie within ``BOUNDS``; an empty mapping is none.

        Raises:
            InvalidRequest: one does not.
        """
        return cls(
            text=_string("text", text),
            voice=None if voice is None else _string("voice", voice),
            quality=None if quality is None else _quality(quality),
            speaker=None if speaker is None else _string("speaker", speaker),
            emotion=None if emotion is None else _string("emotion", emotion),
            style=None if style is None else _style(style),
            dictionary=None if dictionary is None else _dictionary(dictionary),
            speed=None if speed is None else _number("speed", speed),
            pitch=None if pitch is None else _number("pitch", pitch),
            energy=None if energy is None else _number("energy", energy),
            attributes=None if attributes is None else _attributes(attributes),
            seed=None if seed is None else _seed(seed),
        )


@dataclass(frozen=True)
class Continuation(Request):
    """A request for the next part of a long answer; ``resume`` is what the last chunk of the part before said."""

    resume: str = ""

    @classmethod
    def of(cls, request: Request, resume: str) -> Continuation:
        """The same request, but for the part after ``resume``."""
        return cls(**{field.name: getattr(request, field.name) for field in fields(Request)}, resume=resume)


def _string(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be a string, got {type(value).__name__}")
    if not value.strip():
        raise InvalidRequest(f"{name} must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"{name} must be Unicode text, got a lone surrogate at character {error.start}") from None
    return value


def _style(value: object) -> str:
    style = _string("style", value)
    if len(style) > MAX_STYLE:
        raise InvalidRequest(f"style has {len(style)} characters, the most is {MAX_STYLE}: shorten it")
    return style


def _dictionary(value: object) -> dict[str, str] | None:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"dictionary must map words to readings, got {type(value).__name__}")
    return {_string("a word of the dictionary", word): _reading(word, value[word]) for word in value} or None


def _reading(word: str, value: object) -> str:
    return _string(f"the reading of {json.dumps(word[:20], ensure_ascii=False)} in the dictionary", value)


def _attributes(value: object) -> dict[str, str] | None:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"attributes must map names to values, got {type(value).__name__}")
    return {_string("the name of an attribute", name): _attribute(name, value[name]) for name in value} or None


def _attribute(name: str, value: object) -> str:
    return _string(f"the attribute {json.dumps(name[:20], ensure_ascii=False)}", value)


def _seed(value: object) -> int:
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and 0 <= int(value) <= MAX_SEED:
        return int(value)
    raise InvalidRequest(f"seed must be a whole number between 0 and {MAX_SEED}, got {_shown(value)}")


def _quality(value: object) -> str:
    if isinstance(value, str):
        for quality, name in QUALITIES.items():
            if value in (quality, name):
                return quality
    known = ", ".join(f"{quality} ({name})" for quality, name in QUALITIES.items())
    raise InvalidRequest(f"quality must be one of {known}, got {value!r}")


def _number(name: str, value: object) -> float:
    low, high = BOUNDS[name]
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        number = _float(value)
        if math.isfinite(number) and low <= number <= high:
            return number
    raise InvalidRequest(f"{name} must be a number between {low} and {high}, got {_shown(value)}")


def _shown(value: object) -> str:
    """What was given, short; the digits of a long number are not worth a line (nor can Python write them all)."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return f"{_float(value):.15g}"
    return repr(value)[:40]


def _float(value: numbers.Real) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf
