"""Work that takes several calls, written once for both clients.

A plan is a generator: it yields the calls to make, is sent what each gave or thrown what it raised, and returns the
result. It needs no knowledge of how a client waits.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A call of a transport: the name of its method, the model or output it is about, and inputs, if there are any."""

    method: str
    about: str | None = None
    inputs: Mapping[str, str] | None = None

    @property
    def arguments(self) -> tuple[str | Mapping[str, str], ...]:
        """What the method takes before the deadline."""
        return tuple(argument for argument in (self.about, self.inputs) if argument is not None)


Plan: TypeAlias = Generator[Call, Any, T]
