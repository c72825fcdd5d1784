"""Reads the bodies of requests within bounds, before a route sees them."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import GatewayError
from .metrics import GatewayMetrics
from .settings import Bounds


class Intake:
    """An ASGI middleware: a route gets its body whole, or not at all."""

    def __init__(self, app: ASGIApp, bounds: Bounds, metrics: GatewayMetrics) -> None:
        self._app = app
        self._bounds = bounds
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            body = await self._body(headers, receive)
        except GatewayError as error:
            self._metrics.refused.labels(str(error.code)).inc()
            await self._refuse(error, receive, send, waits="expect" in headers)
            return
        if body is None:
            return
        given = False

        async def whole() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, whole, send)

    async def _body(self, headers: Headers, receive: Receive) -> bytes | None:
        """The body; None when the client has gone.

        Raises:
            GatewayError: it is too large, or too slow.
        """
        length = headers.get("content-length", "0")  # h11 has seen that it is a number
        if int(length) > self._bounds.body:
            raise self._too_large()
        if length == "0" and "transfer-encoding" not in headers:
            return b""
        try:
            return await asyncio.wait_for(self._read(receive), self._bounds.request_seconds)
        except asyncio.TimeoutError:
            raise GatewayError(
                408, f"the body did not come within {self._bounds.request_seconds:g} s", code="body_too_slow"
            ) from None

    async def _read(self, receive: Receive) -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._bounds.body:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    async def _refuse(self, error: GatewayError, receive: Receive, send: Send, *, waits: bool) -> None:
        """Answer at once, and read what still comes: who only writes sees the answer after that.

        ``waits`` says that the client has asked before it sends its body.
        """
        response = error.response()
        response.headers["connection"] = "close"
        await send({"type": "http.response.start", "status": error.status, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": bytes(response.body), "more_body": True})
        if error.status == 413 and not waits:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(_drop(receive), self._bounds.request_seconds)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _too_large(self) -> GatewayError:
        return GatewayError(
            413, f"the body is larger than {self._bounds.body} bytes: send the text in parts", code="body_too_large"
        )


async def _drop(receive: Receive) -> None:
    """Read a body to its end and keep nothing of it."""
    while (await receive()).get("more_body", False):
        pass
