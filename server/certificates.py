"""``python -m server certificates``: a CA of one's own, and certificates of it for a server and its clients."""

from __future__ import annotations

import datetime
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.errors import BadRequest, ServerError

if TYPE_CHECKING:
    from trustme import LeafCert

LOCAL = ("localhost", "127.0.0.1", "::1")
CLIENT = "tts-client"
FILES = ("ca.crt", "server.crt", "server.key", "client.crt", "client.key")
DAYS = 365  # so that forgotten ones end


def command(
    folder: Annotated[Path, typer.Argument(help="Where the files go.")],
    host: Annotated[list[str] | None, typer.Option(help="A name or address of the server; may be repeated.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the files that are there.")] = False,
) -> None:
    """Makes certificates for trying TLS out: a CA, a server's and a client's, for a year."""
    try:
        make(folder, tuple(host or ()), force=force)
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2 if isinstance(error, BadRequest) else 1) from None
    names = ", ".join(dict.fromkeys((*LOCAL, *(host or ()))))
    print(f"made {', '.join(FILES)} in {folder}, for {names}, valid for {DAYS} days")


def make(folder: Path, hosts: tuple[str, ...] = (), *, force: bool = False) -> None:
    """Writes ``FILES``, the keys for their owner alone: all of them or none.

    The CA's key is not kept, so nobody makes further certificates of it. Raises ``BadRequest`` when files are in the
    way or a host is no name, and ``ServerError`` when trustme is missing or the folder cannot be written.
    """
    try:
        from trustme import CA
    except ImportError:
        raise ServerError("development certificates need the package trustme: pip install trustme") from None
    there = [name for name in FILES if (folder / name).exists()]
    if there and not force:
        raise BadRequest(f"{folder} holds {', '.join(there)} already: --force replaces them")
    ca, end = CA(), datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=DAYS)
    try:
        server = ca.issue_cert(*dict.fromkeys((*LOCAL, *hosts)), not_after=end)
    except ValueError as error:
        raise BadRequest(f"one of {', '.join(hosts)} is no host: {error}") from None
    client = ca.issue_cert(CLIENT, not_after=end)
    contents = (ca.cert_pem.bytes(), *_pair(server), *_pair(client))
    try:
        _write(folder, dict(zip(FILES, contents, strict=True)))
    except OSError as error:
        raise ServerError(f"{folder} cannot be written: {error.strerror}") from None


def _pair(leaf: LeafCert) -> tuple[bytes, bytes]:
    return b"".join(part.bytes() for part in leaf.cert_chain_pems), leaf.private_key_pem.bytes()


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=folder, prefix=".certificates-"))
    try:
        for name, content in contents.items():
            mode = 0o600 if name.endswith(".key") else 0o644
            with os.fdopen(os.open(making / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
                stream.write(content)
        for name in contents:
            os.replace(making / name, folder / name)
    finally:
        shutil.rmtree(making, ignore_errors=True)
