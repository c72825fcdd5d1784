"""Counts every request."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .metrics import GatewayMetrics

OTHER = "other"
"""The route of a request that has none."""


class Counting:
    """An ASGI middleware: the outermost."""

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.monotonic()
        status, silent = "gone", True

        async def counted(message: Message) -> None:
            nonlocal status, silent
            if message["type"] == "http.response.start":
                status = str(message["status"])
            elif silent and message.get("body"):
                silent = False
                self._metrics.first_byte.labels(_route(scope)).observe(time.monotonic() - begin)
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            self._metrics.requests.labels(_route(scope), status).inc()


def _route(scope: Scope) -> str:
    """The path of the route that answers, as it is declared."""
    return str(getattr(scope.get("route"), "path", OTHER))
