"""HTTP by hand, for what no client library sends."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

import httpx

PATIENCE = 60.0


def talk(gateway, sent: bytes | Callable[[socket.socket], None]) -> httpx.Response:
    """The answer to these bytes, or to what a function sends: all that comes until the connection ends."""
    with socket.create_connection(gateway.address, timeout=PATIENCE) as connection:
        with contextlib.suppress(ConnectionError):  # refused in the middle
            if callable(sent):
                sent(connection)
            else:
                connection.sendall(sent)
        return answer_of(received(connection))


def request(gateway, line: str, *headers: str, body: bytes = b"") -> httpx.Response:
    """The answer to a request of this line and headers; its connection is closed after it."""
    lines = [line, "Host: here", "Connection: close", "Content-Type: application/json", *headers, "", ""]
    return talk(gateway, "\r\n".join(lines).encode("latin-1") + body)


def received(connection: socket.socket) -> bytes:
    """All that comes until the other side ends the connection, in whatever way."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def answer_of(data: bytes) -> httpx.Response:
    """An answer whose body is not in chunks, or is not needed."""
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    assert status.startswith("HTTP/1.1 "), f"no answer: {data[:80]!r}"
    headers = [tuple(line.split(": ", 1)) for line in lines]
    plain = [(name, value) for name, value in headers if name.lower() not in ("transfer-encoding", "content-length")]
    return httpx.Response(int(status.split()[1]), headers=plain, content=body)
