"""What there is: models, voices and styles."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from .asked import MODELS
from .errors import DOCUMENTED
from .service import Serving

OWNER = "sculptor-triton"


class Model(BaseModel):
    """A model as OpenAI's clients list it."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = OWNER


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


class SpeechModel(BaseModel):
    """A model as Open WebUI looks for it."""

    id: str


class SpeechModelList(BaseModel):
    """All models."""

    models: list[SpeechModel]


class VoiceEntry(BaseModel):
    """A voice and what it can do, as ``client.Voice``; ``id`` is its name once more, for clients that look for one."""

    id: str
    name: str
    state: str
    reason: str
    family: str
    sample_rate: int
    languages: list[str]
    speakers: list[str]
    emotions: list[str]
    qualities: list[str]
    limits: dict[str, tuple[float, float]]
    attributes: dict[str, list[str]]


class VoiceList(BaseModel):
    """All voices, by name."""

    voices: list[VoiceEntry]


class StyleEntry(BaseModel):
    """A style with a name, and the instruction that it stands for."""

    name: str
    instruction: str


class StyleList(BaseModel):
    """All styles with names."""

    styles: list[StyleEntry]


def router() -> APIRouter:
    """The routes."""
    routes = APIRouter(responses=DOCUMENTED)

    @routes.get("/v1/models")
    async def models() -> ModelList:
        """What a request's ``model`` may be: OpenAI's names and the qualities that they stand for."""
        return ModelList(data=[Model(id=name) for name in MODELS])

    @routes.get("/v1/audio/models")
    async def speech_models() -> SpeechModelList:
        """The same in the words of Open WebUI."""
        return SpeechModelList(models=[SpeechModel(id=name) for name in MODELS])

    @routes.get("/v1/audio/voices")
    async def voices(service: Serving) -> VoiceList:
        """Every voice of the server, and what it can do."""
        found = await service.synthesizer.voices()
        return VoiceList(voices=[VoiceEntry.model_validate({"id": voice.name, **asdict(voice)}) for voice in found])

    @routes.get("/v1/audio/styles")
    async def styles(service: Serving) -> StyleList:
        """What a request's ``style`` may name."""
        found = await service.synthesizer.styles()
        return StyleList(styles=[StyleEntry(name=style.name, instruction=style.instruction) for style in found])

    return routes
