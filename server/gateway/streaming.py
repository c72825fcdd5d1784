"""Answers that go out while they are made."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, MutableMapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

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
        self._patience = service.settings.bounds.stall_seconds
        self._parts = parts
        self._late = {} if late is None else late
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; an ASGI application."""
        stalled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        work = asyncio.create_task(self._answer(scope, _Watched(send, self._patience, stalled)))
        left = asyncio.create_task(_left(receive))
        with self._service.metrics.streams.track_inprogress():
            try:
                await asyncio.wait((work, left, stalled), return_when=asyncio.FIRST_COMPLETED)
                done = work.done()
            finally:
                left.cancel()
                work.cancel()
                await asyncio.gather(work, left, return_exceptions=True)
        if done:
            work.result()
        elif stalled.done():
            await self._cut(scope, "stalled")
        else:
            self._service.metrics.cut_off.labels("gone").inc()

    async def _answer(self, scope: Scope, send: Send) -> None:
        async with aclosing(self._parts) as parts:
            first = await anext(parts, b"")
            for name, value in self._late.items():
                self.headers[name] = value
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            try:
                await _part(send, first)
                async for part in parts:
                    await _part(send, part)
            except SpeechError as error:
                await self._end_early(send, scope, of_speech(error))
            except GatewayError as error:
                await self._end_early(send, scope, error)
            else:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _end_early(self, send: Send, scope: Scope, error: GatewayError) -> None:
        _log.warning("%s: an answer ends early: %s", scope["path"], error)
        if self._failed is None:
            await self._cut(scope, "failed")
            return
        self._service.metrics.cut_off.labels("failed").inc()
        await send({"type": "http.response.body", "body": self._failed(error), "more_body": False})

    async def _cut(self, scope: Scope, reason: str) -> None:
        """End the connection, so that the client does not take what it has for all."""
        self._service.metrics.cut_off.labels(reason).inc()
        scope["state"]["abort"]()
        await asyncio.sleep(0)  # until the connection knows


class _Watched:
    """``send`` that says when the client has taken nothing for so many seconds.

    It does not end the waiting: ``asyncio.wait_for`` may lose the cancellation of a client that leaves (Python 3.11).
    """

    def __init__(self, send: Send, seconds: float, stalled: asyncio.Future[None]) -> None:
        self._send = send
        self._seconds = seconds
        self._stalled = stalled

    async def __call__(self, message: Message) -> None:
        timer = asyncio.get_running_loop().call_later(self._seconds, self._tell)
        try:
            await self._send(message)
        finally:
            timer.cancel()

    def _tell(self) -> None:
        if not self._stalled.done():
            self._stalled.set_result(None)


async def _part(send: Send, part: bytes) -> None:
    if part:
        await send({"type": "http.response.body", "body": part, "more_body": True})


async def _left(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
