"""Speed, pitch and energy of a request: refused when absurd, clamped to what the voice can do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mandarin import Notice

# What any request may ask for: (low, high, value when not asked, unit).
BOUNDS: dict[str, tuple[float, float, float, str]] = {
    "speed": (0.5, 2.0, 1.0, ""),
    "pitch": (-12.0, 12.0, 0.0, " semitones"),
    "contour": (0.0, 3.0, 1.0, ""),
    "energy": (-12.0, 12.0, 0.0, " dB"),
}


class ControlError(ValueError):
    """A control that is not a number or out of bounds."""


@dataclass(frozen=True)
class Controls:
    """`speed` as a factor (more is faster), `contour` a factor of the pitch's movement; semitones, dB."""

    speed: float
    pitch: float
    contour: float
    energy: float


def resolve(
    asked: Mapping[str, float | None], limits: Mapping[str, tuple[float, float]]
) -> tuple[Controls, list[Notice]]:
    """The controls to use and a notice for each that was clamped. Raises `ControlError`."""
    used: dict[str, float] = {}
    notices: list[Notice] = []
    for name, (low, high, default, unit) in BOUNDS.items():
        value = asked.get(name)
        if value is None:
            used[name] = default
            continue
        if not math.isfinite(value) or not low <= value <= high:
            raise ControlError(f"{name} must be between {low:g} and {high:g}{unit}, got {value:g}")
        least, most = limits[name]
        used[name] = min(max(value, least), most)
        if used[name] != value:
            notices.append(
                Notice(
                    "clamped",
                    f"{name} {value:g}",
                    f"{name} {value:g}{unit} is outside the voice's {least:g}..{most:g}: {used[name]:g} was used",
                )
            )
    return Controls(**used), notices
