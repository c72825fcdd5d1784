"""Where the text comes from."""

from __future__ import annotations

import codecs
import os
import sys
from pathlib import Path
from typing import BinaryIO

from .._errors import InvalidRequest

MAX_BYTES = 16 << 20
"""More than any server takes; keeps an endless input from filling the memory."""


def read_text(argument: str | None, file: Path | None) -> str:
    """The text of an argument, of standard input where the argument is ``-``, or of a file.

    Raises:
        InvalidRequest: not exactly one is given, it cannot be read, or it is not UTF-8.
    """
    if (argument is None) == (file is None):
        raise InvalidRequest("give the text once: as an argument, as - for standard input, or with --file")
    if file is not None:
        try:
            with file.open("rb") as stream:
                return _decode(_read(stream, str(file)), str(file))
        except OSError as error:
            raise InvalidRequest(f"{file}: cannot be read ({error.strerror})") from None
    if argument == "-":
        if sys.stdin is None:
            raise InvalidRequest("standard input is closed: give the text as an argument or with --file")
        return _decode(_read(sys.stdin.buffer, "standard input"), "standard input")
    assert argument is not None
    return _decode(os.fsencode(argument), "the text argument")


def _read(stream: BinaryIO, name: str) -> bytes:
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InvalidRequest(f"{name}: more than {MAX_BYTES >> 20} MiB, split the text")
    return data


def _decode(data: bytes, name: str) -> str:
    mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    try:
        text = data[mark:].decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name}: not UTF-8 at byte {mark + error.start}, convert it to UTF-8") from None
    if not text.strip():
        raise InvalidRequest(f"{name}: there is no text in it")
    return text
