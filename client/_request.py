"""A request, checked as far as the client can be certain. The server checks the rest."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

from ._errors import InvalidRequest

QUALITIES = {"high": "高保真", "balanced": "平衡", "fast": "快速"}
"""Each quality and its Chinese name, best first. Both are accepted."""

BOUNDS = {"speed": (0.5, 2.0), "pitch": (-12.0, 12.0), "energy": (-12.0, 12.0)}
"""What a request may ask for: speed as a factor, pitch in semitones, energy in dB.

A voice may do less; inside these bounds the server clamps to what it can do and says so in a notice.
"""


@dataclass(frozen=True)
class Request:
    """What goes to the front door; ``None`` leaves the choice to the server."""

    text: str
    voice: str | None = None
    quality: str | None = None
    speaker: str | None = None
    emotion: str | None = None
    speed: float | None = None
    pitch: float | None = None
    energy: float | None = None

    @classmethod
    def checked(
        cls,
        text: str,
        *,
        voice: str | None = None,
        quality: str | None = None,
        speaker: str | None = None,
        emotion: str | None = None,
        speed: float | None = None,
        pitch: float | None = None,
        energy: float | None = None,
    ) -> Request:
        """A request whose values have the right types and lie within ``BOUNDS``.

        Raises:
            InvalidRequest: one does not.
        """
        return cls(
            text=_string("text", text),
            voice=None if voice is None else _string("voice", voice),
            quality=None if quality is None else _quality(quality),
            speaker=None if speaker is None else _string("speaker", speaker),
            emotion=None if emotion is None else _string("emotion", emotion),
            speed=None if speed is None else _number("speed", speed),
            pitch=None if pitch is None else _number("pitch", pitch),
            energy=None if energy is None else _number("energy", energy),
        )


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
        number = float(value)
        if math.isfinite(number) and low <= number <= high:
            return number
        shown = f"{number:g}"
    else:
        shown = repr(value)
    raise InvalidRequest(f"{name} must be a number between {low} and {high}, got {shown}")
