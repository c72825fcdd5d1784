"""A request as the front door reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from errors import RequestError

Arrays = dict[str, npt.NDArray[Any]]

# Best first; a quality that a voice lacks is answered by the next one down, or else by the best it has.
QUALITIES = ("high", "balanced", "fast")
_ALIASES = {"高保真": "high", "平衡": "balanced", "快速": "fast"}
DEFAULT_QUALITY = "balanced"
MAX_TEXT = 60_000
# What the text front end reads itself.
PASSED_ON = ("VOICE", "SPEAKER", "EMOTION", "SPEED", "PITCH", "ENERGY", "DICTIONARY")


@dataclass(frozen=True)
class Request:
    """`text` as it came, `quality` by its canonical name, `style` as asked, and the inputs for the text front end."""

    text: str
    quality: str
    style: str | None
    options: Arrays

    @classmethod
    def read(cls, inputs: Mapping[str, npt.NDArray[Any]]) -> Request:
        """The request in a model's input tensors, each of one element. Raises `RequestError`."""
        text = _text("TEXT", inputs) or ""
        if len(text) > MAX_TEXT:
            raise RequestError(f"text has {len(text)} characters, the most is {MAX_TEXT}: send it in parts")
        quality = check_quality(_text("QUALITY", inputs))
        options = {name: inputs[name] for name in PASSED_ON if name in inputs}
        return cls(text, quality, _text("STYLE", inputs) or None, options)


def check_quality(asked: str | None) -> str:
    """The quality's canonical name. Raises `RequestError`."""
    quality = _ALIASES.get(asked or DEFAULT_QUALITY, asked or DEFAULT_QUALITY)
    if quality not in QUALITIES:
        raise RequestError(f"quality '{quality[:40]}' is not known; it must be one of {', '.join(QUALITIES)}")
    return quality


def choose_vocoder(quality: str, vocoders: Mapping[str, str]) -> tuple[str, str]:
    """The quality that will answer and its vocoder's role: the one asked for, else the next one down, else up."""
    at = QUALITIES.index(quality)
    for candidate in (*QUALITIES[at:], *reversed(QUALITIES[:at])):
        if candidate in vocoders:
            return candidate, vocoders[candidate]
    raise RequestError("this voice has no vocoder: export it again")


def _text(name: str, inputs: Mapping[str, npt.NDArray[Any]]) -> str | None:
    if name not in inputs:
        return None
    raw = inputs[name][0]
    try:
        text: str = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"{name} is not valid UTF-8 (byte {error.start}): send it as UTF-8") from error
    return text
