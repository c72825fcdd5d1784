"""A client's connection: how many there may be, and how slow one may be."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol
from uvicorn.server import ServerState

from .errors import GatewayError
from .metrics import GatewayMetrics
from .settings import Bounds

BUSY_SECONDS = 1.0
"""When to come again after all connections were taken."""

LINGER_SECONDS = 2.0
"""How long a refused client may go on sending: one whose connection is reset would not see the answer."""


class Connection(H11Protocol):
    """uvicorn's connection with bounds, whose own errors are JSON, too.

    ``scope["state"]["abort"]`` of its requests cuts it.
    """

    def __init__(
        self,
        bounds: Bounds,
        metrics: GatewayMetrics,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._bounds = bounds
        self._metrics = metrics
        self._header_timer: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "abort": transport.abort}
        self._metrics.connections.set(len(self.connections))
        surplus = len(self.connections) - self._bounds.connections
        if surplus > 0:
            self._metrics.refused.labels("connections").inc()
            self.app = _busy().response()
        if surplus > self._bounds.connections:  # too many to be answered
            transport.abort()
        else:
            self._expect_header()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_header()
        super().connection_lost(exc)
        self._metrics.connections.set(len(self.connections))

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget_header()
        elif self._header_timer is None and not self._refused:
            self._expect_header()

    def send_400_response(self, msg: str) -> None:
        """Answer what h11 does not take."""
        self._metrics.refused.labels("not_http").inc()
        if len(self.conn.trailing_data[0]) > self._bounds.header:
            self._refuse(GatewayError(431, "the headers are too large: send fewer", code="headers_too_large"))
        else:
            self._refuse(GatewayError(400, "this is not HTTP/1.1", code="not_http"))

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also when its client never takes the end of the last answer."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(self._bounds.stall_seconds, self.transport.abort)

    def _expect_header(self) -> None:
        self._header_timer = self.loop.call_later(self._bounds.request_seconds, self._too_slow)

    def _forget_header(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _too_slow(self) -> None:
        self._header_timer = None
        if not self.transport.is_closing():
            self._metrics.refused.labels("slow_header").inc()
            self._refuse(GatewayError(408, "the request took too long to come", code="too_slow"))

    def _refuse(self, error: GatewayError) -> None:
        """Answer without the application and let the connection go."""
        self._refused = True
        self._forget_header()
        if self.conn.our_state is not h11.IDLE:
            self.transport.abort()  # in the middle of another answer
            return
        response = error.response()
        head = h11.Response(
            status_code=response.status_code,
            headers=[*response.raw_headers, (b"connection", b"close")],
            reason=STATUS_PHRASES[response.status_code],
        )
        for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        else:  # TLS
            self.transport.close()


def _busy() -> GatewayError:
    return GatewayError(
        503, "too many connections: try again", code="busy", retry_after=BUSY_SECONDS, headers={"connection": "close"}
    )
