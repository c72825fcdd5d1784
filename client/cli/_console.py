"""What goes to stdout and stderr."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import suppress
from typing import Any

from .._errors import DiskFull, OutputError


def quiet_streams() -> None:
    """Show what a terminal's encoding cannot hold as an escape, instead of failing with it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def emit(text: str) -> None:
    """Print a line on stdout. A reader that went away is no error: the work is done.

    Raises:
        OutputError: stdout cannot be written.
    """
    if sys.stdout is None:
        return
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _discard_stdout()
    except OSError as error:
        _discard_stdout()
        kind = DiskFull if error.errno in DiskFull.ERRNOS else OutputError
        raise kind(f"standard output: cannot be written ({error.strerror})") from None


def emit_json(tree: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    emit(json.dumps(tree, ensure_ascii=encoding != "utf8", allow_nan=False))


def note(text: object) -> None:
    """Print one line on stderr."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(" ".join(str(text).split()), file=sys.stderr, flush=True)


def fail(error: object, code: int) -> int:
    """Print ``error`` as one line on stderr; returns ``code``."""
    note(f"error: {error}")
    return code


def _discard_stdout() -> None:
    """Point stdout's file at nothing, so that the flush at exit has nowhere to fail."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
