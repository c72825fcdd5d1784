"""Addresses as ``HOST:PORT``."""

from __future__ import annotations

import re

from ._errors import InvalidRequest

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})")


def split(address: str, what: str, example: str) -> tuple[str, int]:
    """Host (an IPv6 one in its brackets) and port.

    Args:
        address: ``HOST:PORT``.
        what: the name of the setting, for the message.
        example: one that would be right.

    Raises:
        InvalidRequest: it is not ``HOST:PORT``.
    """
    match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if match is None or not 0 < int(match["port"]) < 65536:
        raise InvalidRequest(f"{what} must be HOST:PORT, such as {example}, got {address!r}")
    return match["host"], int(match["port"])
