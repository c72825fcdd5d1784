"""The application: its routes, and what they share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

from fastapi import FastAPI

from client import AsyncSynthesizer, AsyncTransport
from client._grpc_aio import connect_async

from . import captions, catalog, page, phonemes, reference, speech, state
from .access import Access, Caller
from .candid import Candid
from .counting import Counting
from .errors import handle_errors
from .intake import Intake
from .metrics import GatewayMetrics
from .service import Service
from .settings import GatewaySettings

TITLE = "Mandarin speech"


def create_app(settings: GatewaySettings, callers: Sequence[Caller] = ()) -> FastAPI:
    """The gateway as an ASGI application. It connects to the server when it is first asked.

    Args:
        settings: what it was started with.
        callers: those who may ask; without any, everybody may.

    Raises:
        InvalidRequest: the connection's certificates cannot be read.
    """
    metrics = GatewayMetrics()
    server, transport = settings.connection.server, connect_async(settings.connection)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        candid = cast(AsyncTransport, Candid(transport))
        async with AsyncSynthesizer(server, timeout=settings.timeout, transport=candid) as made:
            patient = AsyncSynthesizer(server, timeout=settings.timeout, transport=transport)
            app.state.service = Service(settings, made, patient, metrics)
            yield

    app = FastAPI(title=TITLE, lifespan=lifespan, redirect_slashes=False, docs_url=None, redoc_url=None)
    app.state.metrics = metrics
    handle_errors(app, metrics)
    reference.describe(app)
    for part in (speech, catalog, captions, phonemes, state, reference):
        app.include_router(part.router())
    page.mount(app)
    # The last added is the first asked.
    app.add_middleware(Intake, bounds=settings.bounds, metrics=metrics)
    app.add_middleware(Access, callers=callers, metrics=metrics)
    app.add_middleware(Counting, metrics=metrics)
    return app
