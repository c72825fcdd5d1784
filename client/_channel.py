"""How a channel to one server is opened, for both gRPC transports."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from . import _address
from ._connection import TOKEN_HEADER, Certificates, Connection

_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # When to try a dead address again is for this client to decide.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
    # A server whose machine vanished says nothing: it is noticed within a minute. The launcher has servers allow this.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
)
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|\[::1\]")
_RESTRICTED = ("RepositoryIndex", "ModelConfig", "RepositoryModelLoad", "RepositoryModelUnload")

Opener = Callable[[str], "Channel"]


@dataclass(frozen=True)
class Channel:
    """What a channel to ``server`` takes.

    ``credentials`` of ``None``: it is not encrypted. ``token`` goes with the calls that a server may restrict.
    """

    server: str
    options: tuple[tuple[str, int | str], ...]
    credentials: Any = None
    token: str | None = field(default=None, repr=False)

    def open(self) -> Any:
        """A ``grpc.Channel``."""
        if self.credentials is None:
            return grpc.insecure_channel(self.server, options=self.options)
        return grpc.secure_channel(self.server, self.credentials, options=self.options)

    def open_async(self) -> Any:
        """A ``grpc.aio.Channel``; it binds to the running loop."""
        if self.credentials is None:
            return grpc.aio.insecure_channel(self.server, options=self.options)
        return grpc.aio.secure_channel(self.server, self.credentials, options=self.options)

    def metadata(self, method: str) -> tuple[tuple[str, str], ...]:
        """The headers of a call."""
        return ((TOKEN_HEADER, self.token),) if self.token and method in _RESTRICTED else ()


def opener(connection: Connection) -> Opener:
    """What says how to open a channel to each server of a connection, by its address.

    Raises:
        InvalidRequest: certificates cannot be read.
    """
    tls, credentials = connection.tls, None
    name = _address.parse(connection.server).name
    if tls is not None:
        files = Certificates.read(tls)
        credentials = grpc.ssl_channel_credentials(files.roots, files.key, files.certificate)
        name = tls.name or name

    def channel(server: str) -> Channel:
        options: tuple[tuple[str, int | str], ...] = _OPTIONS
        if credentials is not None and name is not None:
            options = (*options, ("grpc.ssl_target_name_override", name))
        host, _ = _address.split(server, "server", "127.0.0.1:8001")
        if _LOOPBACK.fullmatch(host):
            options = (*options, ("grpc.enable_http_proxy", 0))
        return Channel(server, options, credentials, connection.token)

    return channel
