"""The client."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _catalog, _health, _phonemes, _repository
from ._answer import Answer
from ._assemble import Assembly
from ._connection import DEFAULT_SERVER, Connection, Tls
from ._errors import ServiceUnavailable, SpeechError
from ._models import Chunk, Health, Preset, Progress, Voice
from ._phonemes import Reading
from ._plan import Call, Plan, T
from ._request import Options, Request
from ._retry import Pauses
from ._speech import Speech
from ._spread import SpreadTransport
from ._timeouts import Deadline, Timeout
from ._transport import Transport

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Synthesizer:
    """Speaks text with the service at ``server``.

    Safe to use from several threads. Close it, or use it in a ``with`` statement.

    Args:
        server: ``HOST:PORT`` of the server's gRPC endpoint; several with commas between them; or ``dns:///NAME:PORT``,
            where each address of the name is a server.
        timeout: limits of each call; a number is the total in seconds.
        tls: encryption, and who is trusted; ``None`` for none.
        token: the server's, for a server that restricts what changes or lists models.
        transport: what to send calls through, in place of gRPC channels to ``server``.

    Raises:
        InvalidRequest: an argument makes no sense, or a certificate cannot be read. Nothing is connected yet.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        timeout: Timeout | float = Timeout(),  # noqa: B008 - an immutable value
        tls: Tls | None = None,
        token: str | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._server = server
        self._timeout = Timeout.of(timeout)
        if transport is None:
            from ._grpc import connect  # takes 0.2 s to import, and not everybody needs it

            transport = connect(Connection(server, tls, token))
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
        timeout: Timeout | float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        **options: Unpack[Options],
    ) -> Speech:
        """Speak ``text`` and wait for all of it. What is left out, the server chooses.

        Args:
            text: what to say, in any length that the server takes; plain or with markup.
            timeout: limits of this call in place of the client's.
            on_progress: called after each response that tells how far the text is spoken.
            options: voice, quality, style and so on, see ``Options``.

        Raises:
            InvalidRequest: an argument is wrong.
            VoiceNotFound: the server has no such voice.
            ServiceUnavailable: no server, or too busy. Already retried where that was safe.
            DeadlineExceeded: not complete in time.
            ServiceError: the service failed.
        """
        request = Request.checked(text, **options)
        return self._speech(request, self._deadline(timeout), on_progress)

    def stream(
        self, text: str, *, timeout: Timeout | float | None = None, **options: Unpack[Options]
    ) -> Generator[Chunk, None, None]:
        """Speak ``text`` and give its audio piece by piece as it comes; arguments and errors as in ``synthesize``.

        Wrong arguments are refused at once, everything else while iterating. The time that the caller takes for a
        piece counts against the timeout. ``close()`` of the iterator cancels the request on the server.
        """
        return self._chunks(Request.checked(text, **options), self._deadline(timeout))

    def voices(self, *, timeout: Timeout | float | None = None) -> list[Voice]:
        """Every voice of the server, by name, with the state it is in.

        Raises:
            ServiceError: the service failed.
        """
        return self._run(_catalog.voices(), timeout)

    def styles(self, *, timeout: Timeout | float | None = None) -> tuple[Preset, ...]:
        """The presets: what ``style`` may name. It may also be an instruction in plain words.

        Raises:
            ServiceError: the service failed.
        """
        return self._run(_catalog.presets(), timeout)

    def phonemes(
        self,
        text: str,
        *,
        voice: str | None = None,
        dictionary: Mapping[str, str] | None = None,
        timeout: Timeout | float | None = None,
    ) -> Reading:
        """How ``text`` is read: its words in pinyin. ``Reading.ssml`` is a text that is read just so.

        Args:
            text: plain or with markup.
            voice: whose reading; ``None``: the server chooses.
            dictionary: as of ``Options``.
            timeout: limits of this call in place of the client's.

        Raises:
            InvalidRequest: an argument is wrong, or there is nothing to say.
            VoiceNotFound: the server has no such voice.
            ServiceError: the service failed.
        """
        return self._run(_phonemes.reading(Request.checked(text, voice=voice, dictionary=dictionary)), timeout)

    def load(self, voice: str, *, timeout: Timeout | float | None = None) -> Voice:
        """Load a voice of the server's repository; nothing happens to one that is loaded.

        Raises:
            VoiceNotFound: there is none of that name, or it is a model that voices share.
            ServiceFailed: it cannot be loaded, or this server does not load voices while it runs.
            ServiceError: the service failed.
        """
        return self._run(_repository.load(voice), timeout)

    def unload(self, voice: str, *, timeout: Timeout | float | None = None) -> None:
        """Unload a voice; what it shares with others stays. Requests under way end first, after this returns.

        Raises:
            VoiceNotFound: there is none of that name, or it is a model that voices share.
            ServiceFailed: this server does not unload voices while it runs.
            ServiceError: the service failed.
        """
        self._run(_repository.unload(voice), timeout)

    def health(self, *, timeout: Timeout | float | None = None, metrics: str | None = None) -> Health:
        """Try every ready voice with a short sentence, on every server.

        A service that fails is a result, not an error.

        Args:
            timeout: limits of this call in place of the client's.
            metrics: ``HOST:PORT`` of the metrics' page, or ``:PORT`` of each server's own host: what it has of
                memory, queue and degradation is told, too.

        Raises:
            InvalidRequest: ``metrics`` or ``timeout`` makes no sense.
        """
        deadline = self._deadline(timeout)
        try:
            each = self._transport.each(deadline) if isinstance(self._transport, SpreadTransport) else []
            if len(each) > 1:
                ones = [Synthesizer(server, timeout=self._timeout, transport=one) for server, one in each]
                return _health.together(self._server, [one.health(timeout=timeout, metrics=metrics) for one in ones])
            version = self._retrying(deadline, Call("version"))
            models = self._retrying(deadline, Call("models"))
            voices = [voice for voice in self._run(_catalog.voices(), deadline) if voice.ready]
        except SpeechError as error:
            return _health.unreachable(self._server, error)
        results = []
        for voice in voices:
            try:
                results.append(_health.spoke(voice, self._speech(_health.probe(voice), deadline)))
            except SpeechError as error:
                results.append(_health.failed(voice, error))
        health = _health.summary(self._server, version, results, models)
        return _health.measured(health, metrics, deadline.remaining())

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
        answer = Answer(request, deadline)
        while True:
            try:
                with closing(self._transport.synthesize(answer.request, deadline)) as chunks:
                    for chunk in chunks:
                        new = answer.take(chunk)
                        if new is not None:
                            yield new
                if answer.complete():
                    return
                continue
            except ServiceUnavailable as error:
                pause = answer.failed(error)
            time.sleep(pause)

    def _run(self, plan: Plan[T], timeout: Timeout | float | Deadline | None) -> T:
        """Carry out a plan: each call is tried again where that may help."""
        deadline = timeout if isinstance(timeout, Deadline) else self._deadline(timeout)
        try:
            call = next(plan)
            while True:
                try:
                    answer = self._retrying(deadline, call)
                except SpeechError as error:
                    call = plan.throw(error)
                else:
                    call = plan.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def _retrying(self, deadline: Deadline, call: Call) -> Any:
        pauses = Pauses(deadline)
        while True:
            try:
                return getattr(self._transport, call.method)(*call.arguments, deadline)
            except ServiceUnavailable as error:
                pause = pauses.after(error)
            time.sleep(pause)
