"""Where the text, the dictionary and the attributes come from."""

from __future__ import annotations

import codecs
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

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
        return _read_file(file, "text")
    if argument == "-":
        if sys.stdin is None:
            raise InvalidRequest("standard input is closed: give the text as an argument or with --file")
        return _decode(_read(sys.stdin.buffer, "standard input", "text"), "standard input", "text")
    assert argument is not None
    return _decode(os.fsencode(argument), "the text argument", "text")


def read_dictionary(file: Path | None) -> dict[str, str] | None:
    """The words and readings of a file: a JSON object, or lines of a word, a tab and its reading.

    Blank lines and lines that begin with ``#`` are comments. ``None`` for no file.

    Raises:
        InvalidRequest: it cannot be read, or a word has two readings.
    """
    if file is None:
        return None
    text = _read_file(file, "dictionary")
    pairs = _json_pairs(text, file) if text.lstrip().startswith("{") else _line_pairs(text, file)
    words: dict[str, str] = {}
    for word, reading in pairs:
        if words.setdefault(word, reading) != reading:
            raise InvalidRequest(f"{file}: {word!r} has two readings, {words[word]!r} and {reading!r}: keep one")
    return words


def read_attributes(arguments: Sequence[str]) -> dict[str, str] | None:
    """The names and values of arguments ``NAME=VALUE``; ``None`` for none.

    Raises:
        InvalidRequest: one is not of that form, or a name has two values.
    """
    found: dict[str, str] = {}
    for argument in arguments:
        name, _, value = (part.strip() for part in argument.partition("="))
        if not name or not value:
            raise InvalidRequest(f"--attribute must be NAME=VALUE, got {argument!r}")
        if found.setdefault(name, value) != value:
            raise InvalidRequest(f"--attribute: {name} has two values, {found[name]!r} and {value!r}: keep one")
    return found or None


def _json_pairs(text: str, file: Path) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    try:
        # As pairs, because of a word that is there twice a plain load would keep one reading and say nothing.
        json.loads(text, object_pairs_hook=lambda found: pairs.extend(found))
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidRequest(f"{file}: not a JSON object of words and readings ({error})") from None
    wrong = [word for word, reading in pairs if not isinstance(reading, str)]
    if wrong:
        raise InvalidRequest(f"{file}: the reading of {wrong[0]!r} must be a string")
    return pairs


def _line_pairs(text: str, file: Path) -> list[tuple[str, str]]:
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        word, _, reading = (part.strip() for part in line.partition("\t"))
        if not word or not reading:
            raise InvalidRequest(f"{file}: line {number} must be a word, a tab and its reading")
        pairs.append((word, reading))
    return pairs


def _read_file(file: Path, what: str) -> str:
    try:
        with file.open("rb") as stream:
            return _decode(_read(stream, str(file), what), str(file), what)
    except OSError as error:
        raise InvalidRequest(f"{file}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # a name with a zero in it
        raise InvalidRequest(f"{file}: cannot be read ({error})") from None


def _read(stream: BinaryIO, name: str, what: str) -> bytes:
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InvalidRequest(f"{name}: more than {MAX_BYTES >> 20} MiB, split the {what}")
    return data


def _decode(data: bytes, name: str, what: str) -> str:
    mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    try:
        text = data[mark:].decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name}: not UTF-8 at byte {mark + error.start}, convert it to UTF-8") from None
    if not text.strip():
        raise InvalidRequest(f"{name}: there is no {what} in it")
    return text
