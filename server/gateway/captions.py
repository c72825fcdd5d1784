"""Words with their times beside the audio: ``/v1/audio/captions``."""

from __future__ import annotations

from fastapi import APIRouter


def router() -> APIRouter:
    """The routes."""
    return APIRouter()
