"""Voices as read from the server's repository index and the models' configs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ._errors import ProtocolError
from ._models import ModelState, Voice


def absent_voices(models: Sequence[ModelState]) -> list[Voice]:
    """The voices that are not loaded, of which the index has only the names.

    A voice is a group of models with one prefix, so a model that is not ready and whose name begins others
    is one.
    """
    names = {model.name for model in models}
    return [
        Voice(model.name, ready=False)
        for model in models
        if not model.ready and any(name.startswith(f"{model.name}_") for name in names)
    ]


def voice(name: str, parameters: Mapping[str, str]) -> Voice | None:
    """The voice that a ready model with these config parameters is, ``None`` where it is none.

    Raises:
        ProtocolError: it is a voice whose parameters cannot be read.
    """
    if "family" not in parameters:
        return None
    try:
        limits: Any = json.loads(parameters.get("limits") or "{}")
        return Voice(
            name=name,
            ready=True,
            family=parameters["family"],
            sample_rate=int(parameters["sample_rate"]),
            languages=_strings(parameters.get("language", "")),
            speakers=_strings(parameters.get("speakers", "")),
            emotions=_strings(parameters.get("emotions", "")),
            qualities=_strings(parameters.get("qualities", "")),
            limits={control: (float(low), float(high)) for control, (low, high) in limits.items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ProtocolError(
            f"the config parameters of voice {name!r} cannot be read: export it again ({reason})"
        ) from None


def _strings(value: str) -> tuple[str, ...]:
    """A JSON list of strings, or one plain string such as ``zh``."""
    if not value.lstrip().startswith("["):
        return (value,) if value else ()
    return tuple(str(item) for item in json.loads(value))
