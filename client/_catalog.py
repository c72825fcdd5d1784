"""Voices and styles as read from the server's repository index and the models' configs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ._errors import ProtocolError, VoiceNotFound
from ._models import ModelState, Preset, Voice
from ._plan import Call, Plan

FRONT_DOOR = "tts"


def voices() -> Plan[list[Voice]]:
    """Every voice of the server, by name."""
    models = by_name((yield Call("models")))
    found = []
    for name, model in models.items():
        stages = stages_in_index(name, models)
        if model.ready:
            try:
                parameters = yield Call("parameters", name)
            except VoiceNotFound:  # unloaded since the index was read
                continue
            if "family" in parameters:
                found.append(voice(name, parameters, _failure([models[stage] for stage in stages])))
        elif stages:
            found.append(Voice(name, *_state([model, *(models[stage] for stage in stages)])))
    return sorted(found, key=lambda voice: voice.name)


def presets() -> Plan[tuple[Preset, ...]]:
    """The styles that the front door knows by name."""
    try:
        parameters = yield Call("parameters", FRONT_DOOR)
        items: Any = json.loads(parameters.get("presets") or "[]")
        return tuple(Preset(str(item["name"]), str(item["instruction"])) for item in items)
    except (ValueError, TypeError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ProtocolError(f"the server's presets cannot be read: check its version ({reason})") from None


def by_name(models: Sequence[ModelState]) -> dict[str, ModelState]:
    """The index by name; of a model's versions the one that is ready counts."""
    found: dict[str, ModelState] = {}
    for model in models:
        if model.ready or model.name not in found:
            found[model.name] = model
    return found


def stages_in_index(voice: str, models: Mapping[str, ModelState]) -> list[str]:
    """The models that look like stages of ``voice``: its name and ``_`` begin theirs, and no longer voice's do.

    The index is all that there is to know of a voice that is not loaded.
    """
    others = [name for name in models if name.startswith(f"{voice}_") and _begins_another(name, models)]
    return [
        name
        for name in models
        if name.startswith(f"{voice}_") and not any(name == other or name.startswith(f"{other}_") for other in others)
    ]


def voice(name: str, parameters: Mapping[str, str], reason: str = "") -> Voice:
    """The ready voice with these config parameters; ``reason`` is what is wrong with a part of it.

    Raises:
        ProtocolError: they cannot be read.
    """
    try:
        limits: Any = json.loads(parameters.get("limits") or "{}")
        attributes: Any = json.loads(parameters.get("attributes") or "{}")
        return Voice(
            name=name,
            state="ready",
            reason=reason,
            family=parameters["family"],
            sample_rate=int(parameters["sample_rate"]),
            languages=strings(parameters.get("language", "")),
            speakers=strings(parameters.get("speakers", "")),
            emotions=strings(parameters.get("emotions", "")),
            qualities=strings(parameters.get("qualities", "")),
            limits={control: (float(low), float(high)) for control, (low, high) in limits.items()},
            attributes={str(attribute): tuple(map(str, values)) for attribute, values in attributes.items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ProtocolError(
            f"the config parameters of voice {name!r} cannot be read: export it again ({reason})"
        ) from None


def strings(value: str) -> tuple[str, ...]:
    """A JSON list of strings, or one plain string such as ``zh``.

    Raises:
        ValueError: it begins as a list and is none.
    """
    if not value.lstrip().startswith("["):
        return (value,) if value else ()
    return tuple(str(item) for item in json.loads(value))


def _begins_another(name: str, models: Mapping[str, ModelState]) -> bool:
    return any(other.startswith(f"{name}_") for other in models)


def _state(models: Sequence[ModelState]) -> tuple[str, str]:
    """State and reason of a voice whose ensemble, the first of ``models``, is not ready."""
    if any(model.state == "LOADING" for model in models):
        return "loading", ""
    # A stage says what is wrong with it; the ensemble only that it misses the stage.
    reason = _failure([*models[1:], models[0]])
    return ("broken", reason) if reason else ("unloaded", "")


def _failure(models: Sequence[ModelState]) -> str:
    """Why the first of ``models`` that could not be loaded could not, empty if none."""
    for model in models:
        if model.state == "UNAVAILABLE" and model.reason not in ("", "unloaded"):
            return f"{model.name}: {' '.join(model.reason.split())}"
    return ""
