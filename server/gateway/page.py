"""The web page, at ``/``."""

from __future__ import annotations

from fastapi import FastAPI


def mount(app: FastAPI) -> None:
    """Add the page and its files to ``app``."""
