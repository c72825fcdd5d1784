"""The HTTP server: its socket, its bounds, and when it is ready."""

from __future__ import annotations

import functools
import logging
import socket
import ssl
import sys
from collections.abc import Iterator
from types import FrameType

import uvicorn

from server import hosts
from server.errors import BadRequest, PortInUse

from .access import read_tokens
from .app import create_app
from .connection import Connection
from .settings import GatewaySettings

BACKLOG = 256
SEND_BUFFER = 1 << 18
"""Bytes that the kernel keeps for a reader: of its own accord it would let megabytes of audio wait there."""

KEEP_ALIVE_SECONDS = 75
"""How long a connection may idle between requests. Longer than the pools of clients and proxies keep one, so that it is
they who close it: a request that meets our closing is lost, and a POST is not repeated by itself."""

DRAIN_SECONDS = 30
"""How long answers under way get at the end."""


class _Http(uvicorn.Server):
    """Says when and where it is ready."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Let answers under way end at the first signal, and not at a second one. A signal is no failure."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"gateway ready: {self._url}", flush=True)


def serve(settings: GatewaySettings) -> None:
    """Serve until a signal.

    Raises:
        BadRequest: a setting is wrong, or the address cannot be listened on.
    """
    secure = _check_certificate(settings)
    app = create_app(settings, [] if settings.tokens is None else read_tokens(settings.tokens))
    listening = _listen(settings)
    port = listening.getsockname()[1]
    url = f"{'https' if secure else 'http'}://{hosts.bracketed(settings.host)}:{port}"
    config = uvicorn.Config(
        app,
        http=functools.partial(Connection, settings.bounds, app.state.metrics),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=settings.bounds.header,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # every odd request is a warning
    for line in _warnings(settings, listening.getsockname()[0]):
        print(f"warning: {line}", file=sys.stderr, flush=True)
    with listening:
        _Http(config, url).run([listening])


def _warnings(settings: GatewaySettings, host: str) -> Iterator[str]:
    """What strangers may do where they can connect."""
    if hosts.is_loopback(host):
        return
    if settings.tokens is None:
        yield f"whoever reaches {host} may ask: --tokens says who may"
    if settings.certificate is None:
        yield f"what passes {host} is not encrypted: --certificate and --key do that"


def _check_certificate(settings: GatewaySettings) -> bool:
    """Whether HTTPS is served."""
    if settings.certificate is None and settings.key is None:
        return False
    if settings.certificate is None or settings.key is None:
        raise BadRequest("--certificate and --key go together")
    try:
        # A password is never asked for: nobody may be there to give it.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.certificate, settings.key, password="")
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or error
        raise BadRequest(f"cannot use {settings.certificate} with {settings.key}: {reason}") from None
    return True


def _listen(settings: GatewaySettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PortInUse(f"cannot listen on {settings.host}:{settings.port}: {reason}") from None
    # Its connections inherit both. asyncio sets the first only on sockets that it makes itself.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return listening
