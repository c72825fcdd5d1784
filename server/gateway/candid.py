"""A connection that tells of overload at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from client import AsyncTransport, Chunk, Deadline, Request, ServiceUnavailable, SpeechError


class Overloaded(SpeechError):
    """The server refuses a request for ``retry_after`` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Candid:
    """An ``AsyncTransport`` like the one it has, but for overload.

    The client waits as long as an overloaded server asks for, and tries again. Here somebody else waits, who may rather
    be told, and whose connection would be kept meanwhile.
    """

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def synthesize(self, request: Request, deadline: Deadline) -> AsyncGenerator[Chunk, None]:
        """See ``AsyncTransport.synthesize``.

        Raises:
            Overloaded: the server said when to come again.
        """
        try:
            async with aclosing(self._transport.synthesize(request, deadline)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ServiceUnavailable as error:
            if error.retry_after is None:
                raise
            raise Overloaded(str(error), error.retry_after) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
