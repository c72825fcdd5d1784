"""Work that takes several calls, written once for both clients.

A plan is a generator: it yields the calls to make, is sent what each gave or thrown what it raised, and returns the
result. It needs no knowledge of how a client waits.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A call of a transport: the name of its method, and the model it is about if there is one."""

    method: str
    model: str | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the method takes before the deadline."""
        return () if self.model is None else (self.model,)


Plan: TypeAlias = Generator[Call, Any, T]
