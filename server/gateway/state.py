"""How the service is: ``/health`` and ``/metrics``."""

from __future__ import annotations

from fastapi import APIRouter


def router() -> APIRouter:
    """The routes."""
    return APIRouter()
