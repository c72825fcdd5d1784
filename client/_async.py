"""The asynchronous client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from types import TracebackType
from typing import TypeVar

from . import _catalog, _health
from ._assemble import Assembly
from ._errors import ServiceUnavailable, SpeechError, VoiceNotFound
from ._models import Chunk, Health, Progress, Voice
from ._request import Request
from ._retry import Pauses
from ._speech import Speech
from ._timeouts import Deadline, Timeout
from ._transport import AsyncTransport

T = TypeVar("T")


class AsyncSynthesizer:
    """The twin of ``Synthesizer`` for asyncio. Many requests may run at once; it belongs to one event loop.

    Args:
        server: ``HOST:PORT`` of the server's gRPC endpoint.
        timeout: limits of each call; a number is the total in seconds.
        transport: what to send calls through, in place of a gRPC channel to ``server``.

    Raises:
        InvalidRequest: ``server`` or ``timeout`` makes no sense. Nothing is connected yet.
    """

    def __init__(
        self,
        server: str = "127.0.0.1:8001",
        *,
        timeout: Timeout | float = Timeout(),  # noqa: B008 - an immutable value
        transport: AsyncTransport | None = None,
    ) -> None:
        self._server = server
        self._timeout = Timeout.of(timeout)
        if transport is None:
            from ._grpc_aio import AsyncGrpcTransport  # takes 0.2 s to import, and not everybody needs it

            transport = AsyncGrpcTransport(server)
        self._transport: AsyncTransport = transport

    async def __aenter__(self) -> AsyncSynthesizer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; requests under way are cancelled."""
        await self._transport.close()

    async def synthesize(
        self,
        text: str,
        *,
        voice: str | None = None,
        quality: str | None = None,
        speaker: str | None = None,
        emotion: str | None = None,
        speed: float | None = None,
        pitch: float | None = None,
        energy: float | None = None,
        timeout: Timeout | float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Speech:
        """Speak ``text`` and wait for all of it; arguments and errors as in ``Synthesizer.synthesize``.

        Cancelling the task cancels the request on the server.
        """
        request = Request.checked(
            text,
            voice=voice,
            quality=quality,
            speaker=speaker,
            emotion=emotion,
            speed=speed,
            pitch=pitch,
            energy=energy,
        )
        return await self._speech(request, self._deadline(timeout), on_progress)

    async def voices(self, *, timeout: Timeout | float | None = None) -> list[Voice]:
        """Every voice of the server, by name; those that are not loaded with ``ready`` false.

        Raises:
            ServiceError: the service failed.
        """
        return await self._voices(self._deadline(timeout))

    async def health(self, *, timeout: Timeout | float | None = None) -> Health:
        """Try every ready voice with a short sentence. A service that fails is a result, not an error."""
        deadline = self._deadline(timeout)
        try:
            version = await self._retrying(deadline, lambda: self._transport.version(deadline))
            voices = [voice for voice in await self._voices(deadline) if voice.ready]
        except SpeechError as error:
            return _health.unreachable(self._server, error)
        results = []
        for voice in voices:
            try:
                results.append(_health.spoke(voice, await self._speech(_health.probe(voice), deadline)))
            except SpeechError as error:
                results.append(_health.failed(voice, error))
        return _health.summary(self._server, version, results)

    def _deadline(self, timeout: Timeout | float | None) -> Deadline:
        return Deadline(self._timeout if timeout is None else Timeout.of(timeout))

    async def _speech(
        self, request: Request, deadline: Deadline, on_progress: Callable[[Progress], object] | None = None
    ) -> Speech:
        assembly = Assembly(on_progress)
        async with aclosing(self._chunks(request, deadline)) as chunks:
            async for chunk in chunks:
                assembly.add(chunk)
        return assembly.finish()

    async def _chunks(self, request: Request, deadline: Deadline) -> AsyncGenerator[Chunk, None]:
        """The chunks as they arrive. Closing this cancels the request on the server."""
        pauses = Pauses(deadline)
        while True:
            answered = False
            try:
                async with aclosing(self._transport.synthesize(request, deadline)) as chunks:
                    async for chunk in chunks:
                        answered = True
                        yield chunk
                return
            except ServiceUnavailable as error:
                pause = pauses.after(error, answered=answered)
            await asyncio.sleep(pause)

    async def _voices(self, deadline: Deadline) -> list[Voice]:
        models = await self._retrying(deadline, lambda: self._transport.models(deadline))
        voices = _catalog.absent_voices(models)
        for model in models:
            if model.ready:
                found = await self._retrying(deadline, lambda name=model.name: self._voice(name, deadline))  # type: ignore[misc]
                voices += [found] if found else []
        return sorted(voices, key=lambda voice: voice.name)

    async def _voice(self, name: str, deadline: Deadline) -> Voice | None:
        try:
            return _catalog.voice(name, await self._transport.parameters(name, deadline))
        except VoiceNotFound:  # unloaded since the index was read
            return None

    async def _retrying(self, deadline: Deadline, call: Callable[[], Awaitable[T]]) -> T:
        pauses = Pauses(deadline)
        while True:
            try:
                return await call()
            except ServiceUnavailable as error:
                pause = pauses.after(error)
            await asyncio.sleep(pause)
