"""The records of an input file: JSON lines, CSV with a header, or plain lines of text. Read as they are needed."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from .._errors import InvalidRequest

MAX_LINE = 1 << 20
"""Bytes of the longest line: more than any server takes, and an input without line ends is noticed."""

_NUMBERS = ("speed", "pitch", "energy")
_MAPPINGS = ("dictionary", "attributes")


@dataclass(frozen=True)
class Record:
    """What stands at a line: the fields of an item, or an error that says what is wrong with it."""

    number: int
    fields: dict[str, Any] | InvalidRequest


Records: TypeAlias = Generator[Record, None, None]


def records(path: Path) -> Records:
    """The records of a file; its ending says how to read it. Lines are counted from 1, blank ones are no records.

    Raises:
        InvalidRequest: the file cannot be read, or its header or one of its lines makes going on senseless.
    """
    kinds = {".csv": ",", ".tsv": "\t"}
    ending = path.suffix.lower()
    try:
        with path.open("rb") as stream, closing(_lines(stream, path)) as lines:
            if ending in kinds:
                yield from _csv(lines, kinds[ending], path)
            elif ending in (".jsonl", ".ndjson", ".json"):
                yield from _json(lines)
            else:
                yield from _plain(lines)
    except OSError as error:
        raise InvalidRequest(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # a name with a zero in it
        raise InvalidRequest(f"{path}: cannot be read ({error})") from None


def _lines(stream: BinaryIO, path: Path) -> Generator[tuple[int, bytes], None, None]:
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise InvalidRequest(f"{path}: line {number} is longer than {MAX_LINE >> 20} MiB: is it a list of texts?")
        yield number, line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def _plain(lines: Iterator[tuple[int, bytes]]) -> Records:
    for number, line in lines:
        if line.strip():
            text = _decoded(line)
            yield Record(number, {"text": text.strip()} if isinstance(text, str) else text)


def _json(lines: Iterator[tuple[int, bytes]]) -> Records:
    for number, line in lines:
        if not line.strip():
            continue
        text = _decoded(line.rstrip())
        yield Record(number, _object(text, "a JSON object with at least text") if isinstance(text, str) else text)


def _decoded(line: bytes) -> str | InvalidRequest:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        return InvalidRequest(f"not UTF-8 at byte {error.start} of the line, convert it to UTF-8")


def _object(text: str, wanted: str) -> dict[str, Any] | InvalidRequest:
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        return InvalidRequest(f"not JSON at character {error.pos + 1}: {error.msg}")
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
        return InvalidRequest(f"not JSON that can be read: {error}")
    if not isinstance(tree, dict):
        return InvalidRequest(f"must be {wanted}, got {type(tree).__name__}")
    return {key: value for key, value in tree.items() if value is not None}


def _csv(lines: Iterator[tuple[int, bytes]], delimiter: str, path: Path) -> Records:
    # Bytes that are no UTF-8 come through as surrogates, so that they spoil their own record only.
    reader = csv.reader((line.decode(errors="surrogateescape") for _, line in lines), delimiter=delimiter, strict=True)
    header = [name.strip() for name in _header(reader, path)]
    if "text" not in header:
        raise InvalidRequest(
            f"{path}: its first line must name the columns, and one of them text; it names {header}"[:300]
        )
    if len(set(header)) < len(header):
        raise InvalidRequest(f"{path}: its first line names a column twice")
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(number, InvalidRequest(f"not CSV: {error}; is a quotation mark missing?"))
            continue
        if any(cell.strip() for cell in cells):
            yield Record(number, _row(header, cells))


def _header(reader: Iterator[list[str]], path: Path) -> list[str]:
    try:
        return next(reader, [])
    except csv.Error as error:
        raise InvalidRequest(f"{path}: its first line must name the columns, and is not CSV: {error}") from None


def _row(header: list[str], cells: list[str]) -> dict[str, Any] | InvalidRequest:
    if len(cells) > len(header):
        return InvalidRequest(f"has {len(cells)} cells where the header has {len(header)}: quote texts with commas")
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return InvalidRequest("not UTF-8, convert the file to UTF-8")
    fields: dict[str, Any] = {name: cell for name, cell in zip(header, cells, strict=False) if cell.strip()}
    for name in _NUMBERS:
        if name in fields:
            try:
                fields[name] = float(fields[name])
            except ValueError:
                return InvalidRequest(f"{name} must be a number, got {fields[name][:40]!r}")
    if "seed" in fields:
        try:
            fields["seed"] = int(fields["seed"])
        except ValueError:
            return InvalidRequest(f"seed must be a whole number, got {fields['seed'][:40]!r}")
    for name in _MAPPINGS:
        if name in fields:
            found = _object(fields[name], "a JSON object")
            if isinstance(found, InvalidRequest):
                return InvalidRequest(f"{name}: {found}")
            fields[name] = found
    return fields
