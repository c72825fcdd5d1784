"""What stands between the client and a server, so that either can be replaced."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from typing import Protocol

from ._models import Chunk, ModelState
from ._request import Request
from ._timeouts import Deadline


class Transport(Protocol):
    """Carries calls to one server. Its methods raise exceptions of this package only, and never retry."""

    def synthesize(self, request: Request, deadline: Deadline) -> Generator[Chunk, None, None]:
        """The responses to a request as they arrive. Closing the generator cancels it on the server."""
        ...

    def models(self, deadline: Deadline) -> Sequence[ModelState]:
        """Every model that the server knows of."""
        ...

    def parameters(self, model: str, deadline: Deadline) -> Mapping[str, str]:
        """The ``parameters`` of a model's config; raises ``VoiceNotFound`` where there is no such model."""
        ...

    def load(self, model: str, deadline: Deadline) -> None:
        """Load a model, an ensemble with its steps; one that is loaded stays as it is."""
        ...

    def unload(self, model: str, deadline: Deadline) -> None:
        """Unload a model and no other; it may be leaving still when this returns."""
        ...

    def front_end(self, output: str, inputs: Mapping[str, str], deadline: Deadline) -> Sequence[str]:
        """What the text front end answers as ``output`` to ``inputs``, each a string by the input's name."""
        ...

    def version(self, deadline: Deadline) -> str:
        """The server's name and version, such as ``triton 2.51.0``."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class AsyncTransport(Protocol):
    """The asynchronous twin of ``Transport``."""

    def synthesize(self, request: Request, deadline: Deadline) -> AsyncGenerator[Chunk, None]:
        """The responses to a request as they arrive. Closing the generator cancels it on the server."""
        ...

    async def models(self, deadline: Deadline) -> Sequence[ModelState]:
        """Every model that the server knows of."""
        ...

    async def parameters(self, model: str, deadline: Deadline) -> Mapping[str, str]:
        """The ``parameters`` of a model's config; raises ``VoiceNotFound`` where there is no such model."""
        ...

    async def load(self, model: str, deadline: Deadline) -> None:
        """Load a model, an ensemble with its steps; one that is loaded stays as it is."""
        ...

    async def unload(self, model: str, deadline: Deadline) -> None:
        """Unload a model and no other; it may be leaving still when this returns."""
        ...

    async def front_end(self, output: str, inputs: Mapping[str, str], deadline: Deadline) -> Sequence[str]:
        """What the text front end answers as ``output`` to ``inputs``, each a string by the input's name."""
        ...

    async def version(self, deadline: Deadline) -> str:
        """The server's name and version, such as ``triton 2.51.0``."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...
