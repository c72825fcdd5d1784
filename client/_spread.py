"""The transport over several servers."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

from . import _address
from ._errors import InvalidRequest, ServerUnreachable, ServiceUnavailable, VoiceNotFound
from ._models import Chunk, ModelState
from ._names import Names
from ._request import Request
from ._round import Round
from ._servers import Servers
from ._timeouts import Deadline
from ._transport import Transport


class SpreadTransport:
    """A ``Transport`` over the servers of an address, one transport each. Safe to use from several threads.

    A synthesis goes to one of them, and to the next if that cannot begin it. What changes models goes to all. The index
    has the models of all, so that a voice which is ready at one of them is ready.

    Args:
        server: as of ``Synthesizer``.
        open_one: makes the transport to the server at an address, without connecting yet.

    Raises:
        InvalidRequest: ``server`` is no address.
    """

    def __init__(self, server: str, open_one: Callable[[str], Transport]) -> None:
        addresses = _address.parse(server)
        named = addresses.name is not None
        self._servers = Servers(() if named else addresses.servers)
        self._names = Names(addresses.servers[0], self._servers) if named else None
        self._open_one = open_one
        self._closed = False
        self._lock = threading.Lock()
        self._transports: dict[str, Transport] = {}

    def synthesize(self, request: Request, deadline: Deadline) -> Generator[Chunk, None, None]:
        """See ``Transport.synthesize``."""
        self._find(deadline)
        way = Round(self._servers)
        while True:
            address, begun = way.begin(), False
            try:
                with closing(self._at(address).synthesize(request, deadline)) as chunks:
                    for chunk in chunks:
                        if not begun:
                            begun = True
                            self._servers.answered(address)
                        yield chunk
                return
            except ServiceUnavailable as error:
                self._look_soon(error)
                way.failed(address, error, begun=begun)
            finally:
                self._end(address)

    def models(self, deadline: Deadline) -> Sequence[ModelState]:
        """See ``Transport.models``; of the servers that answer."""
        found: list[ModelState] = []
        errors = []
        for _, transport in self.each(deadline):
            try:
                found.extend(transport.models(deadline))
            except ServiceUnavailable as error:
                errors.append(error)
        if errors and not found:
            raise errors[0]
        return found

    def parameters(self, model: str, deadline: Deadline) -> Mapping[str, str]:
        """See ``Transport.parameters``; of a server that has the model."""
        parameters: Mapping[str, str] = self._any("parameters", model, deadline=deadline)
        return parameters

    def load(self, model: str, deadline: Deadline) -> None:
        """See ``Transport.load``."""
        for _, transport in self.each(deadline):
            transport.load(model, deadline)

    def unload(self, model: str, deadline: Deadline) -> None:
        """See ``Transport.unload``."""
        for _, transport in self.each(deadline):
            transport.unload(model, deadline)

    def front_end(self, output: str, inputs: Mapping[str, str], deadline: Deadline) -> Sequence[str]:
        """See ``Transport.front_end``; of one of them."""
        answer: Sequence[str] = self._any("front_end", output, inputs, deadline=deadline)
        return answer

    def version(self, deadline: Deadline) -> str:
        """See ``Transport.version``; of one of them."""
        version: str = self._any("version", deadline=deadline)
        return version

    def each(self, deadline: Deadline) -> list[tuple[str, Transport]]:
        """Every server's address and its own transport, which is closed with this one."""
        self._find(deadline)
        return [(address, self._at(address)) for address in self._servers.addresses]

    def close(self) -> None:
        """Close all connections; streams that are still open are cancelled."""
        with self._lock:
            self._closed = True
            transports, self._transports = list(self._transports.values()), {}
        for transport in transports:
            transport.close()

    def _any(self, method: str, *arguments: str | Mapping[str, str], deadline: Deadline) -> Any:
        self._find(deadline)
        way = Round(self._servers)
        while True:
            address = way.begin()
            try:
                answer = getattr(self._at(address), method)(*arguments, deadline)
                self._servers.answered(address)
                return answer
            except (ServiceUnavailable, VoiceNotFound) as error:
                self._look_soon(error)
                way.failed(address, error)
            finally:
                self._end(address)

    def _find(self, deadline: Deadline) -> None:
        """See that an address is known."""
        looking = None if self._names is None else self._names.look()
        if looking is not None:
            try:
                looking.result(deadline.left())
            except concurrent.futures.TimeoutError:
                raise deadline.exceeded() from None

    def _look_soon(self, error: Exception) -> None:
        if self._names is not None and isinstance(error, ServerUnreachable):
            self._names.look(soon=True)

    def _at(self, address: str) -> Transport:
        with self._lock:
            if self._closed:
                raise InvalidRequest("this client is closed: make another one")
            if address not in self._transports:
                self._transports[address] = self._open_one(address)
            return self._transports[address]

    def _end(self, address: str) -> None:
        self._servers.end(address)
        with self._lock:
            left = [self._transports.pop(gone, None) for gone in self._servers.left()]
        for transport in left:
            if transport is not None:
                transport.close()
