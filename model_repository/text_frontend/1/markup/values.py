"""Values of SSML attributes: times, and how much faster, higher or louder.

Every function raises ValueError with what is accepted; `None` is a value that is right but cannot be honoured.
"""

from __future__ import annotations

import math
import re

_TIME = re.compile(r"\+?(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})(ms|s)")
_NUMBER = r"(?P<number>[+-]?(?:\d{1,6}(?:\.\d{1,6})?|\.\d{1,6}))"
_PERCENT = re.compile(rf"{_NUMBER}%")
_PLAIN = re.compile(_NUMBER)
_SEMITONES = re.compile(rf"{_NUMBER} ?(?:st|semitones?)")
_HERTZ = re.compile(rf"{_NUMBER} ?Hz", re.IGNORECASE)
_DECIBELS = re.compile(rf"{_NUMBER} ?dB", re.IGNORECASE)

STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.35, "strong": 0.6, "x-strong": 1.0}
_RATES = {"x-slow": 0.6, "slow": 0.8, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
_PITCHES = {"x-low": -3.0, "low": -1.5, "medium": 0.0, "default": 0.0, "high": 1.5, "x-high": 3.0}
_RANGES = {"x-low": 0.25, "low": 0.6, "medium": 1.0, "default": 1.0, "high": 1.4, "x-high": 1.8}
_VOLUMES = {"x-soft": -6.0, "soft": -3.0, "medium": 0.0, "default": 0.0, "loud": 3.0, "x-loud": 6.0}
# Nothing is that quiet: what the voice can do is used instead, and told.
_SILENT = -96.0


def seconds(text: str) -> float:
    """A time like 500ms or 0.5s."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("must be a time like 500ms or 0.5s")
    return float(found[1]) / (1000.0 if found[2] == "ms" else 1.0)


def rate(text: str) -> float | None:
    """A speed factor: a name, a signed percentage on top, or a percentage or number to multiply by."""
    return _factor(
        text, _RATES, "x-slow, slow, medium, fast, x-fast, a percentage like 80% or +20% or a factor like 1.2"
    )


def span(text: str) -> float | None:
    """A factor of the pitch's movement, in the same forms as `rate` but without the plain factor."""
    if _HERTZ.fullmatch(text) or _SEMITONES.fullmatch(text):
        return None
    if _PLAIN.fullmatch(text):
        raise ValueError("must be x-low, low, medium, high, x-high or a percentage like 50% or +20%")
    return _factor(text, _RANGES, "x-low, low, medium, high, x-high or a percentage like 50% or +20%")


def _factor(text: str, names: dict[str, float], accepted: str) -> float:
    if text in names:
        return names[text]
    value = _ratio(_PERCENT.fullmatch(text), 100.0) or _ratio(_PLAIN.fullmatch(text), 1.0)
    if not value or value <= 0.0:
        raise ValueError(f"must be {accepted}")
    return value


def pitch(text: str) -> float | None:
    """A shift in semitones."""
    if text in _PITCHES:
        return _PITCHES[text]
    if found := _SEMITONES.fullmatch(text):
        return float(found["number"])
    # How much a shift in Hz is depends on the voice's own pitch, which only the acoustic model knows.
    if _HERTZ.fullmatch(text):
        return None
    value = _ratio(_PERCENT.fullmatch(text), 100.0)
    if not value or value <= 0.0:
        raise ValueError("must be x-low, low, medium, high, x-high, semitones like +2st or a percentage like +10%")
    return 12.0 * math.log2(value)


def volume(text: str) -> float | None:
    """A gain in dB; plain numbers are on SSML's scale of 0 to 100."""
    if text in _VOLUMES:
        return _VOLUMES[text]
    if found := _DECIBELS.fullmatch(text):
        return float(found["number"])
    value = _ratio(_PERCENT.fullmatch(text) or _PLAIN.fullmatch(text), 100.0)
    if text == "silent" or value == 0.0:
        return _SILENT
    if value is None or value < 0.0:
        raise ValueError(
            "must be silent, x-soft, soft, medium, loud, x-loud, decibels like -3dB, a percentage like +20% or 0 to 100"
        )
    return 20.0 * math.log10(value)


def intensity(text: str) -> float:
    """A factor of an emotion."""
    found = _PLAIN.fullmatch(text)
    if found is None:
        raise ValueError("must be a number from 0 to 2, like 1.5")
    return float(found["number"])


def _ratio(found: re.Match[str] | None, whole: float) -> float | None:
    """What a number multiplies by: with a sign it is added to what is there."""
    if found is None:
        return None
    value = float(found["number"]) / whole
    return 1.0 + value if found["number"][0] in "+-" else value
