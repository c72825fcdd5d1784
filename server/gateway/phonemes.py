"""Text as phones and phones as speech: ``/v1/phonemes``."""

from __future__ import annotations

from fastapi import APIRouter


def router() -> APIRouter:
    """The routes."""
    return APIRouter()
