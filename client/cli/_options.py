"""Options that every command has."""

from __future__ import annotations

from typing import Annotated

import typer

from .._sync import Synthesizer
from .._timeouts import Timeout

Server = Annotated[str, typer.Option(metavar="HOST:PORT", help="The server's gRPC address.")]
Seconds = Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Give up after this long.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

DEFAULT_SERVER = "127.0.0.1:8001"


def connect(server: str, seconds: float) -> Synthesizer:
    """A client with the command's address and time limit."""
    return Synthesizer(server, timeout=Timeout(total=seconds))
