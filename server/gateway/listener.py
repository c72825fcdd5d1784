"""The HTTP server: the socket, and when it is ready."""

from __future__ import annotations

import socket

import uvicorn

from server.errors import PortInUse

from .app import create_app
from .settings import GatewaySettings

BACKLOG = 256


class _Http(uvicorn.Server):
    """Says when and where it is ready."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"gateway ready: {self._url}", flush=True)


def serve(settings: GatewaySettings) -> None:
    """Serve until a signal.

    Raises:
        BadRequest: the address cannot be listened on.
    """
    listening = _listen(settings)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{listening.getsockname()[1]}"
    config = uvicorn.Config(create_app(settings), log_level="warning", access_log=False, lifespan="on")
    _Http(config, url).run([listening])


def _listen(settings: GatewaySettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PortInUse(f"cannot listen on {settings.host}:{settings.port}: {reason}") from None
