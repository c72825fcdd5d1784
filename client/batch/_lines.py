"""Items of a batch: each record with its request, checked, and the file that its audio goes to."""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .. import audio
from .._errors import InvalidRequest
from .._request import Options, Request
from ._records import records

_OPTIONS = tuple(Options.__annotations__)
_KNOWN = ("text", "id", "file", *_OPTIONS)
_MOST_UNUSED = 10
_PLAIN_ID = re.compile(r"[\w-][\w.-]{0,79}")


@dataclass(frozen=True)
class Line:
    """An item that can be asked for. ``target`` is its file, relative to the batch's folder."""

    number: int
    id: str
    target: str
    request: Request

    @property
    def digest(self) -> str:
        """Changes with anything that the audio depends on."""
        tree = json.dumps(asdict(self.request), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(tree.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class BadLine:
    """An item that cannot."""

    number: int
    id: str
    error: InvalidRequest


class Reader:
    """The items of an input file, read as they are needed.

    Args:
        path: the file, see ``records``.
        defaults: what items ask for where they do not say themselves.
        ending: of the audio files, such as ``.wav``.

    Attributes:
        unused: names of fields that mean nothing here, a few of them.
    """

    def __init__(self, path: Path, defaults: Options, ending: str) -> None:
        self._path = path
        self._defaults: dict[str, Any] = {name: value for name, value in defaults.items() if value is not None}
        self._ending = ending
        self.unused: set[str] = set()

    def count(self) -> int:
        """How many there are, by reading the file once.

        Raises:
            InvalidRequest: the file cannot be read.
        """
        with closing(records(self._path)) as found:
            return sum(1 for _ in found)

    def lines(self) -> Generator[Line | BadLine, None, None]:
        """Every item in the file's order. An item whose file is already another's is bad.

        Raises:
            InvalidRequest: the file cannot be read.
        """
        taken: set[bytes] = set()  # 8 bytes and not the name: there may be a hundred thousand
        with closing(records(self._path)) as found:
            for record in found:
                fields = record.fields
                name = f"{record.number:06}"
                if isinstance(fields, InvalidRequest):
                    yield BadLine(record.number, name, fields)
                    continue
                try:
                    line = self._line(record.number, fields)
                    key = unicodedata.normalize("NFC", line.target).casefold().encode()
                    mark = hashlib.blake2b(key, digest_size=8).digest()
                    if mark in taken:
                        raise InvalidRequest(f"{line.target} is the file of an earlier line: give another id or file")
                    taken.add(mark)
                    yield line
                except InvalidRequest as error:
                    given = fields.get("id", name)
                    yield BadLine(record.number, str(given)[:100], error)

    def _line(self, number: int, fields: dict[str, Any]) -> Line:
        unknown = [name for name in fields if name not in _KNOWN]
        if unknown and len(self.unused) < _MOST_UNUSED:
            self.unused.update(unknown)
        if "text" not in fields:
            raise InvalidRequest("text is missing")
        options: dict[str, Any] = self._defaults | {name: fields[name] for name in _OPTIONS if name in fields}
        request = Request.checked(fields["text"], **options)
        name = _id(fields["id"]) if "id" in fields else f"{number:06}"
        target = _file(fields["file"], self._ending) if "file" in fields else f"{_file_name(name)}{self._ending}"
        return Line(number, name, target, request)


def _id(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip() or not _is_unicode(value):
        raise InvalidRequest(f"id must be a string or a whole number, got {json.dumps(value)[:60]}")
    return value.strip()


def _file_name(name: str) -> str:
    """A file name for an id: itself where any file system takes it, else what remains of it and a hash."""
    if _PLAIN_ID.fullmatch(name) and len(name.encode()) <= 200:
        return name
    remains = re.sub(r"[^\w.-]+", "_", name).strip("._")[:30]
    return f"{remains}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _file(value: object, ending: str) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value or not _is_unicode(value):
        raise InvalidRequest(f"file must be a path, got {json.dumps(value)[:60]}")
    path = PurePosixPath(value)
    if path.is_absolute() or os.path.isabs(value) or ".." in path.parts or not path.name:
        raise InvalidRequest(f"file must stay inside the batch's folder, got {value[:60]!r}")
    if path.name.startswith("."):
        raise InvalidRequest(f"file must not be a hidden one, got {value[:60]!r}")
    return str(path) if path.suffix.lower() in audio.FORMATS else f"{path}{ending}"


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)
