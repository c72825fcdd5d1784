"""What a request's `STYLE` means: a preset, or an instruction in the user's own words."""

from __future__ import annotations

import difflib
import json
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from errors import RequestError

MAX_INSTRUCTION = 500
EMPTY = "style is empty: leave it out, or name a preset or describe the voice"
# The style stage's axis is padded to a multiple of this, so that few shapes are met.
BUCKET = 32
# Below it an attribute counts as not mentioned, above it as asked for both ways.
CERTAIN = 0.3
CONFLICTING = 0.5


def parse_presets(text: str) -> dict[str, str]:
    """Name → instruction of the presets in the router's configuration. Raises ValueError."""
    return {str(preset["name"]): str(preset["instruction"]) for preset in json.loads(text or "[]")}


def normal(asked: str) -> str:
    """A style as it is compared: in compatibility form, with single blanks."""
    return " ".join(unicodedata.normalize("NFKC", asked).split())


def instruction(asked: str, presets: Mapping[str, str]) -> str:
    """The instruction that a style stands for. Raises `RequestError`."""
    style = normal(asked)
    if not style:
        raise RequestError(EMPTY)
    if len(style) > MAX_INSTRUCTION:
        raise RequestError(f"style has {len(style)} characters, the most is {MAX_INSTRUCTION}: describe it shorter")
    return presets.get(style, style)


def code_points(style: str) -> npt.NDArray[np.int32]:
    """Unicode code points [1, L], zero-padded to whole buckets."""
    normal = unicodedata.normalize("NFKC", style)
    points = np.zeros((1, -(-len(normal) // BUCKET) * BUCKET), dtype=np.int32)
    points[0, : len(normal)] = [ord(character) for character in normal]
    return points


def check_understood(
    style: str,
    presets: Mapping[str, str],
    controls: Sequence[str],
    certainty: npt.NDArray[np.float32],
    conflict: npt.NDArray[np.float32],
) -> list[dict[str, str]]:
    """Notices for what of an instruction the voice could not follow; certainty and conflict [S], 0…1.

    Raises `RequestError` when the style was most likely meant to be the name of a preset.
    """
    if certainty.size and certainty.max() < CERTAIN:
        near = difflib.get_close_matches(style, list(presets), n=3, cutoff=0.4)
        if near:
            raise RequestError(f"there is no preset '{style[:40]}'; near it: {', '.join(near)}")
        return [_notice(style, "nothing in the style was understood: it was spoken neutrally")]
    torn = [name for name, value in zip(controls, conflict, strict=False) if value > CONFLICTING]
    if torn:
        return [_notice(style, f"the style asks for opposite things in {' and '.join(torn)}: a middle was taken")]
    return []


def unsupported(style: str, voice: str) -> dict[str, str]:
    """The notice for a voice without a style stage."""
    return _notice(style, f"the voice '{voice}' knows no styles: it was spoken neutrally")


def undesigned(attributes: Mapping[str, str], voice: str) -> dict[str, str]:
    """The notice for a voice that cannot be designed by attributes."""
    named = ", ".join(attributes)[:80]
    message = f"the voice '{voice}' is as it was recorded: what was asked of its {named} was left out"
    return {"kind": "style", "text": named[:40], "message": message}


def _notice(style: str, message: str) -> dict[str, str]:
    return {"kind": "style", "text": style[:40], "message": message}
