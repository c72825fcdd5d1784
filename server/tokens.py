"""The secret that the protected part of a server is asked with: one line in a file."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from pathlib import Path

from server.errors import BadRequest

LEAST = 16  # characters: Triton does not slow down who guesses
_TOKEN = re.compile(rb"[!-~]{%d,512}" % LEAST)


def read(file: Path) -> str:
    """The token in a file. Raises ``BadRequest`` when there is none that can be sent in a header."""
    try:
        text = file.read_bytes()[:4096].strip()
    except OSError as error:
        raise BadRequest(f"the token file {file} cannot be read: {error.strerror}") from None
    if not _TOKEN.fullmatch(text):
        raise BadRequest(
            f"the token file {file} must hold one line of {LEAST} to 512 letters, digits and signs without spaces"
        )
    return text.decode()


def read_or_make(file: Path) -> str:
    """The token in a file of our own, which is made when it is not there and which nobody else may read."""
    if not file.exists():
        _make(file)
    token = read(file)
    found = file.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise BadRequest(f"the token file {file} is open to others: delete it, the next start makes a new one")
    return token


def _make(file: Path) -> None:
    """Writes a token that appears complete, and never in place of one that another launcher has just made."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".token-")  # for the owner alone
        try:
            with os.fdopen(handle, "w") as stream:
                stream.write(secrets.token_urlsafe(32) + "\n")
            with contextlib.suppress(FileExistsError):
                os.link(name, file)
        finally:
            os.unlink(name)
    except OSError as error:
        raise BadRequest(
            f"no token can be kept in {file.parent} ({error.strerror}): name a file that holds one with --token-file"
        ) from None
