"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .._sync import Synthesizer
from .._timeouts import Timeout

Server = Annotated[str, typer.Option(metavar="HOST:PORT", help="The server's gRPC address.")]
Seconds = Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Give up after this long.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

Text = Annotated[str | None, typer.Argument(metavar="TEXT|-", help="The text, or - for standard input.")]
TextFile = Annotated[Path | None, typer.Option("--file", metavar="F", help="Read the text from a UTF-8 file.")]

# What may be asked of a request, in every command that makes one.
Voice = Annotated[str | None, typer.Option(help="A name from the voices command.")]
Quality = Annotated[str | None, typer.Option(help="high, balanced or fast (高保真, 平衡, 快速).")]
Speaker = Annotated[str | None, typer.Option(help="One of the voice's speakers.")]
Emotion = Annotated[str | None, typer.Option(help="One of the voice's emotions.")]
Style = Annotated[str | None, typer.Option(help="A name from the styles command, or how to speak in plain words.")]
Dictionary = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="How to say words: a JSON object, or lines of a word, a tab and its reading."),
]
Speed = Annotated[float | None, typer.Option(help="0.5 to 2.0, more is faster.")]
Pitch = Annotated[float | None, typer.Option(help="-12 to 12 semitones.")]
Energy = Annotated[float | None, typer.Option(help="-12 to 12 dB.")]

DEFAULT_SERVER = "127.0.0.1:8001"


def connect(server: str, seconds: float) -> Synthesizer:
    """A client with the command's address and time limit."""
    return Synthesizer(server, timeout=Timeout(total=seconds))
