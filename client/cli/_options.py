"""Options that several commands have."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from .._connection import DEFAULT_SERVER, Connection, Tls
from .._errors import InvalidRequest
from .._request import Options
from .._sync import Synthesizer
from .._timeouts import Timeout
from ._text import read_attributes, read_dictionary

T = TypeVar("T")

Server = Annotated[
    str,
    typer.Option(
        metavar="HOST:PORT[,…]", help="The server's gRPC address; several, or dns:///NAME:PORT, share the work."
    ),
]
Encrypted = Annotated[bool, typer.Option("--tls", help="Encrypt, and trust whom this machine trusts.")]
Ca = Annotated[Path | None, typer.Option(metavar="FILE", help="Encrypt, and trust the servers of this CA (PEM).")]
Certificate = Annotated[Path | None, typer.Option(metavar="FILE", help="Encrypt, and show this certificate (PEM).")]
Key = Annotated[Path | None, typer.Option(metavar="FILE", help="The key of --certificate (PEM).")]
TlsName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Whom the server's certificate is for, if not its address.")
]
TokenFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The server's token; or the variable TTS_TOKEN holds it.")
]
Seconds = Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Give up after this long.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

Text = Annotated[str | None, typer.Argument(metavar="TEXT|-", help="The text, or - for standard input.")]
TextFile = Annotated[Path | None, typer.Option("--file", metavar="F", help="Read the text from a UTF-8 file.")]

TOKEN_VARIABLE = "TTS_TOKEN"

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


@dataclass(frozen=True)
class Reached:
    """How a server is reached, in every command that asks one."""

    server: Server = DEFAULT_SERVER
    tls: Encrypted = False
    ca: Ca = None
    certificate: Certificate = None
    key: Key = None
    tls_name: TlsName = None
    token_file: TokenFile = None

    def connection(self) -> Connection:
        """The same for a client.

        Raises:
            InvalidRequest: the options do not fit together, or the token cannot be read.
        """
        tls = None
        if self.tls or self.ca or self.certificate or self.key or self.tls_name:
            tls = Tls(self.ca, self.certificate, self.key, self.tls_name)
        return Connection(self.server, tls, self._token())

    def _token(self) -> str | None:
        if self.token_file is None:
            return os.environ.get(TOKEN_VARIABLE) or None
        try:
            return self.token_file.read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InvalidRequest(f"{self.token_file}: the token cannot be read ({reason})") from None


_GROUPS: tuple[type, ...] = (Asked, Reached)


def asking(command: Callable[..., T]) -> Callable[..., T]:
    """``command`` as typer is to see it: a parameter that is a group of options is replaced by those options."""
    signature = inspect.signature(command, eval_str=True)
    groups = {
        name: (parameter.annotation, inspect.signature(parameter.annotation, eval_str=True).parameters)
        for name, parameter in signature.parameters.items()
        if parameter.annotation in _GROUPS
    }

    @wraps(command)
    def wrapper(**given: Any) -> T:
        made = {
            name: group(**{field: given.pop(field) for field in fields}) for name, (group, fields) in groups.items()
        }
        return command(**made, **given)

    shown: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        shown.extend(groups[name][1].values() if name in groups else [parameter])
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in shown]
    wrapper.__signature__ = signature.replace(parameters=keywords)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return wrapper


def connect(reached: Reached, seconds: float) -> Synthesizer:
    """A client with the command's servers and time limit.

    Raises:
        InvalidRequest: the options do not fit together, or a file of them cannot be read.
    """
    return Synthesizer(**vars(reached.connection()), timeout=Timeout(total=seconds))
