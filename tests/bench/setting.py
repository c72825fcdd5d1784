"""What every section of a benchmark is given, and what it gives back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from client import Synthesizer, Timeout
from server import ServerOptions, TritonServer

T = TypeVar("T")
# No request may end a benchmark by being slow: how slow it is, is what is asked.
PATIENCE = Timeout(total=3600.0, connect=30.0)


class Skipped(Exception):
    """This server has nothing that could be measured here; the message says what is missing."""


@dataclass(frozen=True)
class Setting:
    """Where servers come from; `quick` asks for a run that shows that everything works, not for figures."""

    repository: Path
    profile: str | None = None
    quick: bool = False

    def server(self, **options: Any) -> TritonServer:
        """A server of its own, to be entered; `options` are `ServerOptions`."""
        return TritonServer(ServerOptions(self.repository, profile=self.profile, **options))

    def pick(self, full: T, quick: T) -> T:
        """One of two values."""
        return quick if self.quick else full

    def tell(self, doing: str) -> None:
        """A line for those who wait."""
        print(f"  {doing} …", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Section:
    """A part of a benchmark: `measure` gives plain data (or raises `Skipped`), `show` makes Markdown of it.

    `measure` is given the benchmark's own kind of `Setting`.
    """

    name: str
    title: str
    measure: Callable[[Any], Any]
    show: Callable[[Any], str]


def speaker(server: TritonServer) -> Synthesizer:
    """A patient client of a server, to be closed."""
    return Synthesizer(server.address.grpc, timeout=PATIENCE)
