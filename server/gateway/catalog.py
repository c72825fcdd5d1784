"""What there is: models, voices and styles."""

from __future__ import annotations

from fastapi import APIRouter


def router() -> APIRouter:
    """The routes."""
    return APIRouter()
