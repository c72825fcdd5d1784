"""Reads the `voice.json` that the exporter puts beside each voice's ensemble."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class UnknownVoiceError(LookupError):
    """No such voice in the repository; the message lists those there are."""


class BrokenVoiceError(Exception):
    """A voice's file cannot be used; the message says why."""


@dataclass(frozen=True)
class VoiceFile:
    """What the text front end needs of a voice; see `export/voice.py` for the meaning of each field.

    `generation` and `design` are the router's: they pass through as they are.
    """

    name: str
    family: str
    sample_rate: int
    hop_length: int
    speakers: tuple[str, ...]
    emotions: tuple[str, ...]
    vocoders: dict[str, str]
    stages: tuple[str, ...]
    style: str | None
    style_controls: tuple[str, ...]
    limits: dict[str, tuple[float, float]]
    max_clauses: int
    max_units: int
    unit_bucket: int
    frame_bucket: int
    frame_step: int
    frame_lead: int
    frame_tail: int
    symbols: dict[str, dict[str, int]]
    generation: dict[str, Any] | None = None
    design: dict[str, Any] | None = None


class VoiceShelf:
    """The voices of a model repository, each read when it is first asked for and again when its file changes."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._read: dict[str, tuple[int, VoiceFile]] = {}

    def names(self) -> list[str]:
        """Names of all voices that have a file, sorted."""
        return sorted(path.parent.name for path in self._repository.glob("*/voice.json"))

    def get(self, name: str) -> VoiceFile:
        """The voice called `name`. Raises `UnknownVoiceError` or `BrokenVoiceError`."""
        path = self._repository / name / "voice.json"
        # The name comes from a request: it must not walk out of the repository.
        if not _NAME.fullmatch(name) or not path.is_file():
            known = ", ".join(self.names()) or "none; export one first"
            raise UnknownVoiceError(f"there is no voice '{name[:80]}'; voices here: {known}")
        stamp = path.stat().st_mtime_ns
        known_voice = self._read.get(name)
        if known_voice is None or known_voice[0] != stamp:
            known_voice = self._read[name] = (stamp, _load(path))
        return known_voice[1]


def _load(path: Path) -> VoiceFile:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return VoiceFile(
            name=content["name"],
            family=content["family"],
            sample_rate=int(content["sample_rate"]),
            hop_length=int(content["hop_length"]),
            speakers=tuple(content["speakers"]),
            emotions=tuple(content["emotions"]),
            vocoders=dict(content["qualities"]),
            stages=tuple(content["stages"]),
            style=content["style"],
            style_controls=tuple(content["style_controls"]),
            limits={name: (float(low), float(high)) for name, (low, high) in content["limits"].items()},
            max_clauses=int(content["max_clauses"]),
            max_units=int(content["max_units"]),
            unit_bucket=int(content["unit_bucket"]),
            frame_bucket=int(content["frame_bucket"]),
            frame_step=int(content["frame_step"]),
            frame_lead=int(content["frame_lead"]),
            frame_tail=int(content["frame_tail"]),
            symbols={
                feature: {symbol: int(number) for symbol, number in table.items()}
                for feature, table in content["symbols"].items()
            },
            generation=_group(content, "generation"),
            design=_group(content, "design"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenVoiceError(
            f"voice '{path.parent.name}' is broken: {path.name} {error!r}; export it again"
        ) from error


def _group(content: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = content.get(name)
    return None if value is None else dict(value)
