"""The client."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
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
from ._transport import Transport

T = TypeVar("T")


class Synthesizer:
    """Speaks text with the service at ``server``.

    Safe to use from several threads. Close it, or use it in a ``with`` statement.

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
        transport: Transport | None = None,
    ) -> None:
        self._server = server
        self._timeout = Timeout.of(timeout)
        if transport is None:
            from ._grpc import GrpcTransport  # takes 0.2 s to import, and not everybody needs it

            transport = GrpcTransport(server)
        self._transport: Transport = transport

    def __enter__(self) -> Synthesizer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; requests under way are cancelled."""
        self._transport.close()

    def synthesize(
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
        """Speak ``text`` and wait for all of it. What is left out, the server chooses.

        Args:
            text: what to say, in any length that the server takes.
            voice: a name from ``voices()``.
            quality: ``high``, ``balanced`` or ``fast``, or 高保真, 平衡 or 快速.
            speaker: one of the voice's speakers.
            emotion: one of the voice's emotions.
            speed: 0.5 to 2.0, more is faster.
            pitch: -12 to 12 semitones.
            energy: -12 to 12 dB.
            timeout: limits of this call in place of the client's.
            on_progress: called after each response that tells how far the text is spoken.

        Raises:
            InvalidRequest: an argument is wrong.
            VoiceNotFound: the server has no such voice.
            ServiceUnavailable: no server, or too busy. Already retried where that was safe.
            DeadlineExceeded: not complete in time.
            ServiceError: the service failed.
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
        return self._speech(request, self._deadline(timeout), on_progress)

    def voices(self, *, timeout: Timeout | float | None = None) -> list[Voice]:
        """Every voice of the server, by name; those that are not loaded with ``ready`` false.

        Raises:
            ServiceError: the service failed.
        """
        return self._voices(self._deadline(timeout))

    def health(self, *, timeout: Timeout | float | None = None) -> Health:
        """Try every ready voice with a short sentence. A service that fails is a result, not an error."""
        deadline = self._deadline(timeout)
        try:
            version = self._retrying(deadline, lambda: self._transport.version(deadline))
            voices = [voice for voice in self._voices(deadline) if voice.ready]
        except SpeechError as error:
            return _health.unreachable(self._server, error)
        results = []
        for voice in voices:
            try:
                results.append(_health.spoke(voice, self._speech(_health.probe(voice), deadline)))
            except SpeechError as error:
                results.append(_health.failed(voice, error))
        return _health.summary(self._server, version, results)

    def _deadline(self, timeout: Timeout | float | None) -> Deadline:
        return Deadline(self._timeout if timeout is None else Timeout.of(timeout))

    def _speech(
        self, request: Request, deadline: Deadline, on_progress: Callable[[Progress], object] | None = None
    ) -> Speech:
        assembly = Assembly(on_progress)
        with closing(self._chunks(request, deadline)) as chunks:
            for chunk in chunks:
                assembly.add(chunk)
        return assembly.finish()

    def _chunks(self, request: Request, deadline: Deadline) -> Generator[Chunk, None, None]:
        """The chunks as they arrive. Closing this cancels the request on the server."""
        pauses = Pauses(deadline)
        while True:
            answered = False
            try:
                with closing(self._transport.synthesize(request, deadline)) as chunks:
                    for chunk in chunks:
                        answered = True
                        yield chunk
                return
            except ServiceUnavailable as error:
                pause = pauses.after(error, answered=answered)
            time.sleep(pause)

    def _voices(self, deadline: Deadline) -> list[Voice]:
        models = self._retrying(deadline, lambda: self._transport.models(deadline))
        voices = _catalog.absent_voices(models)
        for model in models:
            if model.ready:
                found = self._retrying(deadline, lambda name=model.name: self._voice(name, deadline))  # type: ignore[misc]
                voices += [found] if found else []
        return sorted(voices, key=lambda voice: voice.name)

    def _voice(self, name: str, deadline: Deadline) -> Voice | None:
        try:
            return _catalog.voice(name, self._transport.parameters(name, deadline))
        except VoiceNotFound:  # unloaded since the index was read
            return None

    def _retrying(self, deadline: Deadline, call: Callable[[], T]) -> T:
        pauses = Pauses(deadline)
        while True:
            try:
                return call()
            except ServiceUnavailable as error:
                pause = pauses.after(error)
            time.sleep(pause)
