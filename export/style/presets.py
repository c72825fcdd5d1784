"""Named styles: instructions that are kept under a name, for the router's configuration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("presets.json")


@dataclass(frozen=True)
class Preset:
    """A style's name and the instruction that it stands for."""

    name: str
    instruction: str


def load() -> tuple[Preset, ...]:
    """All presets, the most asked for first."""
    return tuple(Preset(**entry) for entry in json.loads(FILE.read_text(encoding="utf-8")))
