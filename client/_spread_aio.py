"""The asynchronous twin of ``_spread``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from . import _address
from ._errors import InvalidRequest, ServerUnreachable, ServiceUnavailable, VoiceNotFound
from ._models import Chunk, ModelState
from ._names import Names
from ._request import Request
from ._round import Round
from ._servers import Servers
from ._timeouts import Deadline
from ._transport import AsyncTransport


class AsyncSpreadTransport:
    """An ``AsyncTransport`` over the servers of an address; see ``SpreadTransport``. It belongs to one event loop."""

    def __init__(self, server: str, open_one: Callable[[str], AsyncTransport]) -> None:
        addresses = _address.parse(server)
        named = addresses.name is not None
        self._servers = Servers(() if named else addresses.servers)
        self._names = Names(addresses.servers[0], self._servers) if named else None
        self._open_one = open_one
        self._closed = False
        self._transports: dict[str, AsyncTransport] = {}

    async def synthesize(self, request: Request, deadline: Deadline) -> AsyncGenerator[Chunk, None]:
        """See ``AsyncTransport.synthesize``."""
        await self._find(deadline)
        way = Round(self._servers)
        while True:
            address, begun = way.begin(), False
            try:
                async with aclosing(self._at(address).synthesize(request, deadline)) as chunks:
                    async for chunk in chunks:
                        if not begun:
                            begun = True
                            self._servers.answered(address)
                        yield chunk
                return
            except ServiceUnavailable as error:
                self._look_soon(error)
                way.failed(address, error, begun=begun)
            finally:
                await self._end(address)

    async def models(self, deadline: Deadline) -> Sequence[ModelState]:
        """See ``AsyncTransport.models``; of the servers that answer."""
        found: list[ModelState] = []
        errors = []
        for _, transport in await self.each(deadline):
            try:
                found.extend(await transport.models(deadline))
            except ServiceUnavailable as error:
                errors.append(error)
        if errors and not found:
            raise errors[0]
        return found

    async def parameters(self, model: str, deadline: Deadline) -> Mapping[str, str]:
        """See ``AsyncTransport.parameters``; of a server that has the model."""
        parameters: Mapping[str, str] = await self._any("parameters", model, deadline=deadline)
        return parameters

    async def load(self, model: str, deadline: Deadline) -> None:
        """See ``AsyncTransport.load``."""
        for _, transport in await self.each(deadline):
            await transport.load(model, deadline)

    async def unload(self, model: str, deadline: Deadline) -> None:
        """See ``AsyncTransport.unload``."""
        for _, transport in await self.each(deadline):
            await transport.unload(model, deadline)

    async def front_end(self, output: str, inputs: Mapping[str, str], deadline: Deadline) -> Sequence[str]:
        """See ``AsyncTransport.front_end``; of one of them."""
        answer: Sequence[str] = await self._any("front_end", output, inputs, deadline=deadline)
        return answer

    async def version(self, deadline: Deadline) -> str:
        """See ``AsyncTransport.version``; of one of them."""
        version: str = await self._any("version", deadline=deadline)
        return version

    async def each(self, deadline: Deadline) -> list[tuple[str, AsyncTransport]]:
        """Every server's address and its own transport, which is closed with this one."""
        await self._find(deadline)
        return [(address, self._at(address)) for address in self._servers.addresses]

    async def close(self) -> None:
        """Close all connections; streams that are still open are cancelled."""
        self._closed = True
        transports, self._transports = list(self._transports.values()), {}
        for transport in transports:
            await transport.close()

    async def _any(self, method: str, *arguments: str | Mapping[str, str], deadline: Deadline) -> Any:
        await self._find(deadline)
        way = Round(self._servers)
        while True:
            address = way.begin()
            try:
                answer = await getattr(self._at(address), method)(*arguments, deadline)
                self._servers.answered(address)
                return answer
            except (ServiceUnavailable, VoiceNotFound) as error:
                self._look_soon(error)
                way.failed(address, error)
            finally:
                await self._end(address)

    async def _find(self, deadline: Deadline) -> None:
        """See that an address is known."""
        looking = None if self._names is None else self._names.look()
        if looking is not None:
            try:
                await asyncio.wait_for(asyncio.wrap_future(looking), deadline.left())
            except asyncio.TimeoutError:
                raise deadline.exceeded() from None

    def _look_soon(self, error: Exception) -> None:
        if self._names is not None and isinstance(error, ServerUnreachable):
            self._names.look(soon=True)

    def _at(self, address: str) -> AsyncTransport:
        if self._closed:
            raise InvalidRequest("this client is closed: make another one")
        if address not in self._transports:
            self._transports[address] = self._open_one(address)
        return self._transports[address]

    async def _end(self, address: str) -> None:
        self._servers.end(address)
        for gone in self._servers.left():
            transport = self._transports.pop(gone, None)
            if transport is not None:
                await transport.close()
