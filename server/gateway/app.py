"""The application: its routes, and what they share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from client import AsyncSynthesizer

from . import captions, catalog, page, phonemes, speech, state
from .errors import handle_errors
from .metrics import GatewayMetrics
from .service import Service
from .settings import GatewaySettings

TITLE = "Mandarin speech"


def create_app(settings: GatewaySettings) -> FastAPI:
    """The gateway as an ASGI application. Its connection to the server is opened when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncSynthesizer(settings.server, timeout=settings.timeout) as synthesizer:
            app.state.service = Service(settings, synthesizer, GatewayMetrics())
            yield

    app = FastAPI(title=TITLE, lifespan=lifespan, redirect_slashes=False, docs_url=None, redoc_url=None)
    handle_errors(app)
    for part in (speech, catalog, captions, phonemes, state):
        app.include_router(part.router())
    page.mount(app)
    return app
