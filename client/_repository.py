"""Voices come and go by Triton's own loading and unloading of models. What voices share is never touched."""

from __future__ import annotations

from collections.abc import Mapping

from . import _catalog
from ._errors import ProtocolError, ServiceFailed, VoiceNotFound
from ._models import ModelState, Voice
from ._plan import Call, Plan


def load(name: str) -> Plan[Voice]:
    """Load a voice: its ensemble, which brings the stages of the default quality, then every other stage."""
    models = _catalog.by_name((yield Call("models")))
    _check_name(name, models)
    if models[name].ready:  # to load a shared model would do no harm, but it is no voice
        _check_family(name, (yield Call("parameters", name)))
    try:
        yield Call("load", name)
        parameters = yield Call("parameters", name)
        if "family" not in parameters:
            yield Call("unload", name)
        _check_family(name, parameters)
        for stage in _stages(name, parameters):
            yield Call("load", stage)
    except ServiceFailed as error:
        raise ServiceFailed(f"voice {name!r} cannot be loaded: {error}") from None
    return _catalog.voice(name, parameters)


def unload(name: str) -> Plan[None]:
    """Unload a voice and its stages. One that is not loaded is left as it is."""
    models = _catalog.by_name((yield Call("models")))
    _check_name(name, models)
    stages = _catalog.stages_in_index(name, models)
    if models[name].ready:
        parameters = yield Call("parameters", name)
        _check_family(name, parameters)
        stages = _stages(name, parameters)
    for model in (name, *stages):
        yield Call("unload", model)


def _check_name(name: str, models: Mapping[str, ModelState]) -> None:
    """See that ``name`` may be a voice; the index has no more to tell of one that is not loaded."""
    known = [other for other in models if _catalog.stages_in_index(other, models)]
    if name not in models or (name not in known and not models[name].ready):
        listed = ", ".join(sorted(known)) or "none"
        raise VoiceNotFound(f"there is no voice {name!r} in the server's repository; voices there: {listed}")


def _check_family(name: str, parameters: Mapping[str, str]) -> None:
    if "family" not in parameters:
        raise VoiceNotFound(f"{name!r} is a model that voices share and no voice: give a name from the voices command")


def _stages(name: str, parameters: Mapping[str, str]) -> list[str]:
    try:
        roles = [*_catalog.strings(parameters.get("stages", "")), *_catalog.strings(parameters.get("style", ""))]
    except ValueError as error:
        raise ProtocolError(f"the stages of voice {name!r} cannot be read: export it again ({error})") from None
    return [f"{name}_{role}" for role in dict.fromkeys(roles)]
