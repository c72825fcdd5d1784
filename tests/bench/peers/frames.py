"""Numbered messages through a pipe: the number and the length, 4 bytes each, then so many bytes."""

from __future__ import annotations

import asyncio
import struct
from typing import BinaryIO

_HEAD = struct.Struct("<II")


def pack(number: int, content: bytes) -> bytes:
    """A message."""
    return _HEAD.pack(number, len(content)) + content


def read(stream: BinaryIO) -> tuple[int, bytes] | None:
    """The next message; None at the end."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    number, length = _HEAD.unpack(head)
    return number, stream.read(length)


async def receive(stream: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next message. Raises `asyncio.IncompleteReadError` at the end."""
    number, length = _HEAD.unpack(await stream.readexactly(_HEAD.size))
    return number, await stream.readexactly(length)
