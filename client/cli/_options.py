"""Options that several commands have."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from .._request import Options
from .._sync import Synthesizer
from .._timeouts import Timeout
from ._text import read_attributes, read_dictionary

T = TypeVar("T")

Server = Annotated[str, typer.Option(metavar="HOST:PORT", help="The server's gRPC address.")]
Seconds = Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Give up after this long.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

Text = Annotated[str | None, typer.Argument(metavar="TEXT|-", help="The text, or - for standard input.")]
TextFile = Annotated[Path | None, typer.Option("--file", metavar="F", help="Read the text from a UTF-8 file.")]

DEFAULT_SERVER = "127.0.0.1:8001"

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
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute", metavar="NAME=VALUE", help="What a designed voice is like, see voices; may be repeated."
    ),
]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Of what a voice draws: the same seed, the same audio.")]


@dataclass(frozen=True)
class Asked:
    """What may be asked of a request on the command line, in every command that makes one."""

    voice: Voice = None
    quality: Quality = None
    speaker: Speaker = None
    emotion: Emotion = None
    style: Style = None
    attributes: Attributes = None
    seed: Seed = None
    dictionary: Dictionary = None
    speed: Speed = None
    pitch: Pitch = None
    energy: Energy = None

    def options(self) -> Options:
        """The same for a request, as far as it was asked.

        Raises:
            InvalidRequest: the dictionary cannot be read, or an attribute is none.
        """
        read = {"dictionary": read_dictionary(self.dictionary), "attributes": read_attributes(self.attributes or ())}
        return Options(**{**vars(self), **read})  # type: ignore[typeddict-item]


def asking(command: Callable[..., T]) -> Callable[..., T]:
    """``command`` as typer is to see it: its parameter ``asked`` replaced by an option for each field of ``Asked``."""
    signature = inspect.signature(command, eval_str=True)
    fields = inspect.signature(Asked, eval_str=True).parameters

    @wraps(command)
    def wrapper(**given: Any) -> T:
        return command(asked=Asked(**{name: given.pop(name) for name in fields}), **given)

    shown: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        shown.extend(fields.values() if name == "asked" else [parameter])
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in shown]
    wrapper.__signature__ = signature.replace(parameters=keywords)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return wrapper


def connect(server: str, seconds: float) -> Synthesizer:
    """A client with the command's address and time limit."""
    return Synthesizer(server, timeout=Timeout(total=seconds))
