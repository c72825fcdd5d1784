"""Text to speech as OpenAI's clients ask for it: ``/v1/audio/speech``."""

from __future__ import annotations

from fastapi import APIRouter


def router() -> APIRouter:
    """The routes."""
    return APIRouter()
