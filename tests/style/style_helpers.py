"""What instructions state, and what the style stage makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.style.attributes import ATTRIBUTES

NEUTRAL = {"speed": 1.0, "pitch": 0.0, "contour": 1.0, "energy": 0.0}
# What counts as moved: less is hardly heard (of the speed, about 5 %).
NOTICEABLE = {"speed": 0.05, "pitch": 0.2, "contour": 0.03, "energy": 0.3}


@dataclass(frozen=True)
class Reading:
    """What the stage says of one instruction, by attribute."""

    style: dict[str, float]
    certainty: dict[str, float]
    conflict: dict[str, float]

    def moved(self, name: str) -> int:
        """1, -1 or, where the attribute stays about neutral, 0."""
        difference = self.style[name] - NEUTRAL[name]
        return 0 if abs(difference) < NOTICEABLE[name] else int(np.sign(difference))


@dataclass(frozen=True)
class Stated:
    """What an instruction states about one attribute: +, -, <= (not more) or >= (not less)."""

    instruction: str
    attribute: str
    sign: str

    def holds(self, moved: int) -> bool:
        """Whether an attribute that moved so does what is stated."""
        return {"+": moved > 0, "-": moved < 0, "<=": moved <= 0, ">=": moved >= 0}[self.sign]


def stated(name: str) -> list[Stated]:
    """The statements of a table beside this file."""
    found = []
    for line in Path(__file__).with_name(f"{name}.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            instruction, *signs = line.split("\t")
            found += [Stated(instruction, a, sign) for a, sign in zip(ATTRIBUTES, signs, strict=False) if sign]
    return found
