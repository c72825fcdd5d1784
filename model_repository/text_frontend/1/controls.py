"""Speed, pitch and energy of a request: refused when absurd, clamped to what the voice can do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from mandarin import Notice

# What any request may ask for: (low, high, value when not asked, unit).
BOUNDS: dict[str, tuple[float, float, float, str]] = {
    "speed": (0.5, 2.0, 1.0, ""),
    "pitch": (-12.0, 12.0, 0.0, " semitones"),
    "contour": (0.0, 3.0, 1.0, ""),
    "energy": (-12.0, 12.0, 0.0, " dB"),
}


class ControlError(ValueError):
    """A control that is not a number or out of bounds, or a choice that the voice does not have."""


@dataclass(frozen=True)
class Controls:
    """`speed` as a factor (more is faster), `contour` a factor of the pitch's movement; semitones, dB."""

    speed: float
    pitch: float
    contour: float
    energy: float


@dataclass(frozen=True)
class Shift:
    """What markup changes for a part of a text: two factors, semitones and dB, on top of the request's controls."""

    speed: float = 1.0
    pitch: float = 0.0
    contour: float = 1.0
    energy: float = 0.0

    def on(self, controls: Mapping[str, float]) -> dict[str, float]:
        """The controls after this change."""
        return {
            "speed": controls["speed"] * self.speed,
            "pitch": controls["pitch"] + self.pitch,
            "contour": controls["contour"] * self.contour,
            "energy": controls["energy"] + self.energy,
        }

    def then(self, other: Shift) -> Shift:
        """Both changes, one inside the other."""
        return Shift(**other.on(asdict(self)))

    def touches(self, name: str) -> bool:
        """Whether this changes the control."""
        return bool(getattr(self, name) != getattr(NATURAL, name))


NATURAL = Shift()


def check(asked: Mapping[str, float]) -> None:
    """Refuse what no voice could do. Raises `ControlError`."""
    for name, value in asked.items():
        low, high, _, unit = BOUNDS[name]
        if not math.isfinite(value) or not low <= value <= high:
            raise ControlError(f"{name} must be between {low:g} and {high:g}{unit}, got {value:g}")


def resolve(
    asked: Mapping[str, float],
    limits: Mapping[str, tuple[float, float]],
    *,
    style: Mapping[str, float] | None = None,
    shift: Shift = NATURAL,
) -> tuple[Controls, list[Notice]]:
    """The controls to use and a notice for each that was clamped. Raises `ControlError`.

    What is asked for wins over what the style says; `shift` comes on top of either. A style's own values are clamped
    without a notice: nobody asked for the number.
    """
    check(asked)
    natural = {name: default for name, (_, _, default, _) in BOUNDS.items()}
    wanted = shift.on(natural | dict(style or {}) | dict(asked))
    used: dict[str, float] = {}
    notices: list[Notice] = []
    for name, value in wanted.items():
        least, most = limits[name]
        used[name] = min(max(value, least), most)
        if used[name] != value and (name in asked or shift.touches(name)):
            notices.append(
                Notice(
                    "clamped",
                    f"{name} {value:g}",
                    f"{name} {value:g}{BOUNDS[name][3]} is outside the voice's {least:g}..{most:g}: "
                    f"{used[name]:g} was used",
                )
            )
    return Controls(**used), notices
