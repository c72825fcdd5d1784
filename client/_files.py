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
        raise _failure(path, error) from None


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to a temporary file beside ``path`` and move it there.

    Raises:
        OutputError: a file cannot be written there.
        DiskFull: there is no room for it.
    """
    check_target(path)
    target = os.path.realpath(path)  # a symbolic link stays one
    temporary = os.path.join(os.path.dirname(target), f".tts-{secrets.token_hex(8)}.tmp")
    try:
        # open() and not tempfile: the file gets the permissions that any new file gets
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise _failure(path, error) from None
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _failure(path: str | os.PathLike[str], error: OSError | ValueError) -> OutputError:
    name = os.fspath(path)
    if isinstance(error, OSError) and error.errno in DiskFull.ERRNOS:
        return DiskFull(f"{name}: no room left on the disk, make some or write elsewhere")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return OutputError(f"{name}: cannot be written ({reason})")
