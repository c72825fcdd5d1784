"""Addresses: ``HOST:PORT``, several of them, or a name that stands for several."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ._errors import InvalidRequest

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:/,\[\]]+):(?P<port>[0-9]{1,5})")
_EXAMPLE = "127.0.0.1:8001"
_NAME = "dns:///"


@dataclass(frozen=True)
class Addresses:
    """Servers that do the same.

    ``servers`` are their addresses as ``HOST:PORT``. With ``name`` they are not known yet: the one address says a name
    and a port, and each address of that name is a server.
    """

    servers: tuple[str, ...]
    name: str | None = None


def parse(server: str) -> Addresses:
    """``HOST:PORT``, several with commas between them, or ``dns:///NAME:PORT``.

    Raises:
        InvalidRequest: it is none of these, or names one server twice.
    """
    if isinstance(server, str) and server.startswith(_NAME):
        address = server.removeprefix(_NAME)
        host, _ = split(address, "server", f"{_NAME}tts:8001", "dns:///NAME:PORT")
        return Addresses((address,), host.strip("[]"))
    parts = [part.strip() for part in server.split(",")] if isinstance(server, str) else [server]
    wanted = "HOST:PORT, or several with commas between them"
    for part in parts:
        split(part, "server", _EXAMPLE, wanted if len(parts) > 1 else "HOST:PORT")
    if len(set(parts)) < len(parts):
        raise InvalidRequest(f"server must name each address once, got {server!r}")
    return Addresses(tuple(parts))


def split(address: str, what: str, example: str, wanted: str = "HOST:PORT") -> tuple[str, int]:
    """Host (an IPv6 one in its brackets) and port.

    Args:
        address: ``HOST:PORT``.
        what: the name of the setting, for the message.
        example: one that would be right.
        wanted: what the setting is to be, for the message.

    Raises:
        InvalidRequest: it is not ``HOST:PORT``.
    """
    match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if match is None or not 0 < int(match["port"]) < 65536:
        raise InvalidRequest(f"{what} must be {wanted}, such as {example}, got {address!r}")
    return match["host"], int(match["port"])
