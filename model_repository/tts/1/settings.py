"""The front door's settings: the parameters of the model `tts`, checked once when the model is loaded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from governor import Limit, Thresholds
from request import QUALITIES

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class Preset:
    """A style by name: asking for `name` is asking for `instruction`."""

    name: str
    instruction: str


@dataclass(frozen=True)
class Settings:
    """One profile's bounds. A parameter that the config leaves out has the value given here.

    In the thresholds, `…_free_bytes` is the free memory below which and `…_used_fraction` the share of used memory
    above which that step of degradation is taken, on the host and on each GPU alike; 0 switches one off. Of the times,
    `idle_unload_seconds` 0 is never and `queue_wait_seconds` 0 switches that rule off. `max_loaded_voices` 0 is no
    bound. The windows that a vocoder gets are a multiple of `window_step` frames long, where that is
    not 0. A voice's `qualities` that are not among these are not offered, unless it has no others. With `batching`,
    lengths are padded so that requests can share a run of a stage.
    """

    batching: bool = True
    max_in_flight: int = 16
    max_waiting: int = 64
    first_chunk_frames: int = 32
    max_chunk_frames: int = 256
    window_step: int = 0
    idle_unload_seconds: float = 0.0
    max_loaded_voices: int = 0
    default_deadline_seconds: float = 600.0
    small_free_bytes: int = 0
    small_used_fraction: float = 0.0
    light_free_bytes: int = 0
    light_used_fraction: float = 0.0
    shed_free_bytes: int = 0
    shed_used_fraction: float = 0.0
    queue_wait_seconds: float = 0.0
    recover_seconds: float = 10.0
    qualities: tuple[str, ...] = QUALITIES
    presets: tuple[Preset, ...] = ()

    @classmethod
    def parse(cls, parameters: Mapping[str, str]) -> Settings:
        """The settings that the config's parameters give. Raises `ValueError` with the parameter's name.

        Names in capitals are Triton's own (`EXECUTION_ENV_PATH`) and passed over; any other unknown name is an error,
        since a misspelt bound would otherwise bound nothing.
        """
        known = {field.name for field in fields(cls)}
        for name in parameters:
            if name not in known and not name.isupper():
                raise ValueError(f"parameter '{name}' is not known; it must be one of {', '.join(sorted(known))}")
        values: dict[str, Any] = {}
        for name, text in parameters.items():
            if name == "presets":
                values[name] = _presets(text)
            elif name == "qualities":
                values[name] = _qualities(text)
            elif name == "batching":
                values[name] = _switch(name, text)
            elif name in known:
                kind = int if isinstance(getattr(cls, name), int) else float
                values[name] = _number(name, text, kind)
        settings = cls(**values)
        settings._check_order()
        return settings

    @property
    def thresholds(self) -> Thresholds:
        """What the governor goes by."""
        return Thresholds(
            small=Limit(self.small_free_bytes, self.small_used_fraction),
            light=Limit(self.light_free_bytes, self.light_used_fraction),
            shed=Limit(self.shed_free_bytes, self.shed_used_fraction),
            queue_wait_seconds=self.queue_wait_seconds,
            recover_seconds=self.recover_seconds,
        )

    def _check_order(self) -> None:
        if self.first_chunk_frames > self.max_chunk_frames:
            raise ValueError(
                f"parameter 'first_chunk_frames' is {self.first_chunk_frames}, more than max_chunk_frames "
                f"({self.max_chunk_frames}): the first chunk must not be the longest"
            )
        for unit, sign, relation in (("free_bytes", -1, "at most"), ("used_fraction", 1, "at least")):
            last, last_name = 0.0, ""
            for step in ("small", "light", "shed"):
                name = f"{step}_{unit}"
                value = getattr(self, name)
                if value and last and sign * value < sign * last:
                    raise ValueError(f"parameter '{name}' is {value}, it must be {relation} {last_name} ({last})")
                if value:
                    last, last_name = value, name


_LEAST_ONE = frozenset({"max_in_flight", "first_chunk_frames", "max_chunk_frames"})


def _number(name: str, text: str, kind: type[_Number]) -> _Number:
    """One parameter's number within its bounds; the bounds follow from the name."""
    lowest = 1 if name in _LEAST_ONE else 0
    highest = 1.0 if name.endswith("_fraction") else math.inf
    try:
        value = kind(text)
    except ValueError:
        value = kind(-1)
    positive = name == "default_deadline_seconds"
    if not lowest <= value <= highest or math.isinf(value) or (positive and not value):
        wanted = "a whole number" if kind is int else "a number"
        bounds = f"from {lowest} to 1" if highest == 1.0 else "above 0" if positive else f"of {lowest} or more"
        raise ValueError(f"parameter '{name}' is '{text[:40]}': it must be {wanted} {bounds}")
    return value


def _switch(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"parameter '{name}' is '{text[:40]}': it must be true or false")
    return text == "true"


def _qualities(text: str) -> tuple[str, ...]:
    try:
        names = tuple(json.loads(text))
    except (ValueError, TypeError) as error:
        raise ValueError(f"parameter 'qualities' must be a JSON list of names: {error}") from error
    if not names or not set(names) <= set(QUALITIES):
        raise ValueError(f"parameter 'qualities' is {text[:80]}: it must be a list of some of {', '.join(QUALITIES)}")
    return names


def _presets(text: str) -> tuple[Preset, ...]:
    try:
        entries = json.loads(text)
        presets = tuple(Preset(entry["name"], entry["instruction"]) for entry in entries)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"parameter 'presets' must be a JSON list of {{name, instruction}} objects: {error}"
        ) from error
    names = [preset.name for preset in presets]
    for preset in presets:
        if not all(isinstance(value, str) and value.strip() for value in (preset.name, preset.instruction)):
            raise ValueError(f"parameter 'presets' has an empty name or instruction: {preset}")
        if names.count(preset.name) > 1:
            raise ValueError(f"parameter 'presets' has '{preset.name}' twice")
    return presets
