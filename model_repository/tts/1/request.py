"""A request as the front door reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy.typing as npt
from errors import RequestError

Arrays = dict[str, npt.NDArray[Any]]

# Best first; a quality that a voice lacks is answered by the next one down, or else by the best it has.
QUALITIES = ("high", "balanced", "fast")
_ALIASES = {"高保真": "high", "平衡": "balanced", "快速": "fast"}
DEFAULT_QUALITY = "balanced"
MAX_TEXT = 60_000
MAX_ATTRIBUTES = 2000
_ADVICE = 'write {"gender": "女性", "speed": "语速较慢"}'
# Seconds of the longest natural pause, generously.
MAX_PAUSE = 10.0
# What the text front end reads itself.
PASSED_ON = ("VOICE", "SPEAKER", "EMOTION", "SPEED", "PITCH", "ENERGY", "DICTIONARY")


@dataclass(frozen=True)
class Place:
    """Where in a request a part of its answer begins: before plan block `block`, after `sent` samples and `done`
    characters, with a natural pause of `pause` seconds to come."""

    block: int = 0
    sent: int = 0
    done: int = 0
    pause: float = 0.0

    def dump(self) -> str:
        """The place as text, for the client to send back."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Place:
        """The place that `dump` wrote. Raises `RequestError`."""
        try:
            content = json.loads(text)
            place = cls(*(kind(content[name]) for name, kind in _PLACE.items()))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise RequestError("resume is none that this server gave: send it as it came") from error
        if not (0 <= place.block <= MAX_TEXT and 0 <= place.done <= MAX_TEXT and 0 <= place.sent < 2**40):
            raise RequestError("resume is none that this server gave: send it as it came")
        if not 0 <= place.pause <= MAX_PAUSE:
            raise RequestError("resume is none that this server gave: send it as it came")
        return place


_PLACE: dict[str, Callable[[Any], Any]] = {"block": int, "sent": int, "done": int, "pause": float}


@dataclass(frozen=True)
class Request:
    """`text` and `style` as they came, `quality` by its canonical name, and the inputs for the text front end.

    A request need not ask for a quality or a style. `attributes` and `seed` are for voices that are designed.
    `part_seconds` is after how much audio the client wants to ask for
    the rest itself, 0 for never; `start` is where the rest begins that it now asks for.
    """

    text: str
    quality: str | None
    style: str | None
    options: Arrays
    part_seconds: int = 0
    start: Place = Place()
    attributes: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0

    @classmethod
    def read(cls, inputs: Mapping[str, npt.NDArray[Any]], parameters: Mapping[str, Any]) -> Request:
        """The request in a model's input tensors, each of one element, and in its parameters. Raises `RequestError`."""
        text = _text("TEXT", inputs) or ""
        if len(text) > MAX_TEXT:
            raise RequestError(f"text has {len(text)} characters, the most is {MAX_TEXT}: send it in parts")
        asked = _text("QUALITY", inputs)
        quality = check_quality(asked) if asked else None
        options = {name: inputs[name] for name in PASSED_ON if name in inputs}
        part, resume = parameters.get("part_seconds", 0), parameters.get("resume")
        if isinstance(part, bool) or not isinstance(part, int) or part < 0:
            raise RequestError("part_seconds must be a whole number of seconds, 0 or more")
        start = Place() if resume is None else Place.load(str(resume))
        attributes = parse_attributes(_text("ATTRIBUTES", inputs) or "{}")
        seed = int(inputs["SEED"][0]) if "SEED" in inputs else 0
        if seed < 0:
            raise RequestError(f"seed must be a whole number of 0 or more, got {seed}")
        return cls(text, quality, _text("STYLE", inputs) or None, options, part, start, attributes, seed)


def parse_attributes(text: str) -> dict[str, str]:
    """The attributes of a voice, name → value, which are not looked up yet. Raises `RequestError`."""
    if len(text) > MAX_ATTRIBUTES:
        raise RequestError(f"ATTRIBUTES has {len(text)} characters, the most is {MAX_ATTRIBUTES}: leave some out")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"ATTRIBUTES is not JSON ({error}): {_ADVICE}") from error
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise RequestError(f"ATTRIBUTES must be a JSON object of texts: {_ADVICE}")
    return content


def check_quality(asked: str) -> str:
    """The quality's canonical name. Raises `RequestError`."""
    quality = _ALIASES.get(asked, asked)
    if quality not in QUALITIES:
        raise RequestError(f"quality '{quality[:40]}' is not known; it must be one of {', '.join(QUALITIES)}")
    return quality


def choose_vocoder(quality: str, vocoders: Mapping[str, str], offered: Sequence[str]) -> tuple[str, str]:
    """The quality that will answer and its vocoder's role: the one asked for, else the next one down, else up.

    Of a voice's `vocoders` (quality → role) those are taken that the service offers, if there are any.
    """
    at = QUALITIES.index(quality)
    choice = {name: role for name, role in vocoders.items() if name in offered} or vocoders
    for candidate in (*QUALITIES[at:], *reversed(QUALITIES[:at])):
        if candidate in choice:
            return candidate, choice[candidate]
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
