"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress

from ._errors import DiskFull, OutputError


def check_target(path: str | os.PathLike[str]) -> None:
    """See that a file can be written at ``path``, without writing.

    Raises:
        OutputError: it cannot.
    """
    try:
        target = os.path.realpath(path)
        directory = os.path.dirname(target)
        if not os.path.isdir(directory):
            what = "is not a directory" if os.path.exists(directory) else "does not exist"
            raise OutputError(f"{os.fspath(path)}: the directory {directory} {what}")
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(os.stat(target).st_mode):
                raise OutputError(f"{os.fspath(path)}: is not a regular file, give another name")
            if not os.access(target, os.W_OK):
                raise OutputError(f"{os.fspath(path)}: is write-protected, give another name")
        if not os.access(directory, os.W_OK | os.X_OK):
            raise OutputError(f"{os.fspath(path)}: the directory {directory} is not writable")
    except (OSError, ValueError) as error:
        raise failure(path, error) from None


class Draft:
    """A file that is written beside its place and moved there once it is complete.

    Raises, each of its methods:
        OutputError: a file cannot be written there.
        DiskFull: there is no room for it.
    """

    def __init__(self, path: str | os.PathLike[str], *, prefix: str = ".tts-") -> None:
        check_target(path)
        self._path = path
        self._target = os.path.realpath(path)  # a symbolic link stays one
        self._temporary = os.path.join(os.path.dirname(self._target), f"{prefix}{secrets.token_hex(8)}.tmp")
        try:
            # open() and not tempfile: the file gets the permissions that any new file gets
            self._file = open(self._temporary, "xb")  # noqa: SIM115 - commit() and discard() close it
        except OSError as error:
            raise failure(path, error) from None

    def write(self, data: bytes, at: int | None = None) -> None:
        """Append ``data``, or write it over what stands at byte ``at``."""
        try:
            if at is not None:
                self._file.seek(at)
            self._file.write(data)
            if at is not None:
                self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise failure(self._path, error) from None

    def commit(self) -> None:
        """Put the file in its place."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._temporary, self._target)
        except OSError as error:
            raise failure(self._path, error) from None

    def discard(self) -> None:
        """Leave nothing behind; after ``commit``, do nothing."""
        with suppress(OSError):  # close() flushes: on a full disk it fails once more
            self._file.close()
        with suppress(OSError):
            os.unlink(self._temporary)


def write(path: str | os.PathLike[str], data: bytes, *, prefix: str = ".tts-") -> None:
    """Write ``data`` to a temporary file beside ``path``, its name beginning with ``prefix``, and move it there.

    Raises:
        OutputError: a file cannot be written there.
        DiskFull: there is no room for it.
    """
    draft = Draft(path, prefix=prefix)
    try:
        draft.write(data)
        draft.commit()
    finally:
        draft.discard()


def failure(path: str | os.PathLike[str], error: OSError | ValueError) -> OutputError:
    """The error for a file or folder at ``path`` that could not be written."""
    name = os.fspath(path)
    if isinstance(error, OSError) and error.errno in DiskFull.ERRNOS:
        return DiskFull(f"{name}: no room left on the disk, make some or write elsewhere")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return OutputError(f"{name}: cannot be written ({reason})")
