"""What a batch has done and what failed, on disk, so that it can be killed at any moment and go on."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from .. import _files
from .._errors import OutputError
from ._lines import Line

JOURNAL = "journal.jsonl"
FAILURES = "failures.jsonl"
TEMPORARY = ".tts-batch-"
"""How the names of half-written audio files begin."""


class Journal:
    """The records of one folder; nobody else may open them at the same time. Not safe for several threads.

    A finished item is a line in ``journal.jsonl``, written after its audio file is in its place: what a kill leaves
    behind is at worst a file without its line, which is written again. In memory a finished item is a few numbers.

    Raises:
        OutputError: the folder cannot be used, or another batch uses it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._swept: set[Path] = set()
        self._done: dict[int, int] = {}
        self._failures: io.BufferedWriter | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / JOURNAL).open("a+b")
        except (OSError, ValueError) as error:
            raise _files.failure(folder, error) from None
        try:
            _lock(self._file, folder)
            self._read()
            (folder / FAILURES).unlink(missing_ok=True)  # what failed then is tried again now
        except OSError as error:
            self._file.close()
            raise _files.failure(folder, error) from None
        except OutputError:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._file, self._failures):
            if file is not None:
                with suppress(OSError):  # every record was flushed when it was written
                    file.close()

    def has(self, line: Line) -> bool:
        """Whether the item is done: by an equal request, and its file is there."""
        if self._done.get(_number(line.target)) != _number(line.digest):
            return False
        with suppress(OSError):
            return (self._folder / line.target).stat().st_size > 0
        return False

    def prepare(self, line: Line) -> Path:
        """The path for the item's audio, in a folder that is there and in which nothing half-written lies.

        Raises:
            OutputError: the folder cannot be made.
        """
        path = self._folder / line.target
        if path.parent not in self._swept:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                for left in path.parent.glob(f"{TEMPORARY}*.tmp"):
                    left.unlink(missing_ok=True)
            except OSError as error:
                raise _files.failure(path.parent, error) from None
            self._swept.add(path.parent)
        return path

    def add(self, line: Line, result: dict[str, Any]) -> None:
        """The item's audio is in its place.

        Raises:
            OutputError: the journal cannot be written.
        """
        record = {"line": line.number, "id": line.id, "file": line.target, "hash": line.digest, **result}
        self._append(self._file, record)
        self._done[_number(line.target)] = _number(line.digest)

    def fail(self, number: int, name: str, error: Exception) -> None:
        """The item with this line number and id failed.

        Raises:
            OutputError: the record cannot be written.
        """
        if self._failures is None:
            try:
                self._failures = (self._folder / FAILURES).open("ab")
            except OSError as failure:
                raise _files.failure(self._folder / FAILURES, failure) from None
        record = {"line": number, "id": name, "error": type(error).__name__, "message": str(error)}
        self._append(self._failures, record)

    def _append(self, file: io.BufferedIOBase, record: dict[str, Any]) -> None:
        try:
            # Flushed at once: a kill tears at most this record, and reading ignores a torn one.
            file.write(json.dumps(record, ensure_ascii=False).encode(errors="replace") + b"\n")
            file.flush()
        except OSError as error:
            raise _files.failure(self._folder, error) from None

    def _read(self) -> None:
        """Remember what is done. The last record of a file counts; one that was torn apart does not."""
        self._file.seek(0)
        last = b"\n"
        for last in self._file:
            with suppress(ValueError, TypeError, KeyError):
                record = json.loads(last)
                self._done[_number(record["file"])] = _number(record["hash"])
        if not last.endswith(b"\n"):
            self._file.write(b"\n")
            self._file.flush()


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _lock(file: io.BufferedIOBase, folder: Path) -> None:
    """Keep a second batch out of the folder, where the system can; the lock ends with the process, however it ends."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(
            f"{folder}: another batch is writing there, wait for its end or give another folder"
        ) from None
