"""Answers that go out while they are made."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, MutableMapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from client import SpeechError

from .errors import GatewayError, of_speech
from .service import Service

_log = logging.getLogger(__name__)
Told = Callable[[GatewayError], bytes]


class Stream(Response):
    """An answer whose first part decides about its status.

    What fails before the first part is answered as an error with its own status. A client that goes away, or takes
    nothing for ``stall_seconds``, closes ``parts``, and with them the request on the server.

    Args:
        service: whose metrics and bounds count.
        parts: the body. It is read only as fast as the client takes it.
        media_type: of the answer.
        late: headers that ``parts`` may set until it gives its first part.
        failed: the last part when the rest fails; None: the connection is cut, as nothing else tells the client.
    """

    def __init__(
        self,
        service: Service,
        parts: AsyncGenerator[bytes, None],
        media_type: str,
        *,
        late: MutableMapping[str, str] | None = None,
        failed: Told | None = None,
    ) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._service = service
        self._parts = parts
        self._late = {} if late is None else late
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; an ASGI application."""
        work = asyncio.create_task(self._answer(scope, send))
        left = asyncio.create_task(_left(receive))
        with self._service.metrics.streams.track_inprogress():
            try:
                await asyncio.wait((work, left), return_when=asyncio.FIRST_COMPLETED)
                gone = not work.done()
            finally:
                left.cancel()
                work.cancel()
                await asyncio.gather(work, left, return_exceptions=True)
        if gone:
            self._service.metrics.cut_off.labels("gone").inc()
        else:
            work.result()

    async def _answer(self, scope: Scope, send: Send) -> None:
        async with aclosing(self._parts) as parts:
            first = await anext(parts, b"")
            for name, value in self._late.items():
                self.headers[name] = value
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await self._send(send, scope, start)
            try:
                await self._part(send, scope, first)
                async for part in parts:
                    await self._part(send, scope, part)
            except SpeechError as error:
                await self._end_early(send, scope, of_speech(error))
            except GatewayError as error:
                await self._end_early(send, scope, error)
            except _Stalled:
                self._cut(scope, "stalled")
            else:
                await self._send(send, scope, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _part(self, send: Send, scope: Scope, part: bytes) -> None:
        if part:
            await self._send(send, scope, {"type": "http.response.body", "body": part, "more_body": True})

    async def _send(self, send: Send, scope: Scope, message: MutableMapping[str, object]) -> None:
        try:
            await asyncio.wait_for(send(message), self._service.settings.bounds.stall_seconds)
        except asyncio.TimeoutError:
            raise _Stalled from None

    async def _end_early(self, send: Send, scope: Scope, error: GatewayError) -> None:
        _log.warning("%s: an answer ends early: %s", scope["path"], error)
        if self._failed is None:
            self._cut(scope, "failed")
            return
        self._service.metrics.cut_off.labels("failed").inc()
        with contextlib.suppress(_Stalled):
            last = {"type": "http.response.body", "body": self._failed(error), "more_body": False}
            await self._send(send, scope, last)

    def _cut(self, scope: Scope, reason: str) -> None:
        """End the connection, so that the client does not take what it has for all."""
        self._service.metrics.cut_off.labels(reason).inc()
        scope["state"]["abort"]()


class _Stalled(Exception):
    """The client takes nothing."""


async def _left(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
