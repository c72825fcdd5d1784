"""What becomes of an answer that goes out while it is made, when something happens on its way."""

from __future__ import annotations

import asyncio

import pytest

from client import ServiceFailed
from server.gateway.metrics import GatewayMetrics
from server.gateway.service import Service
from server.gateway.settings import Bounds, GatewaySettings
from server.gateway.speech import _failure_event
from server.gateway.streaming import Stream


class Client:
    """The other end of an answer: what it got, and whether its connection was cut."""

    def __init__(self, parts, *, failed=None, blocked_after=None, stall_seconds=60.0):
        self.metrics = GatewayMetrics()
        settings = GatewaySettings(bounds=Bounds(stall_seconds=stall_seconds))
        self.stream = Stream(Service(settings, None, None, self.metrics), parts, "audio/wav", failed=failed)
        self.messages = []
        self.cut = False
        self.gone = asyncio.Event()
        self._blocked_after = blocked_after

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def complete(self):
        return bool(self.messages) and self.messages[-1].get("more_body") is False

    def cut_off(self, reason):
        return self.metrics.cut_off.labels(reason)._value.get()

    async def listen(self):
        await self.stream({"type": "http", "path": "/", "state": {"abort": self._abort}}, self._receive, self._send)

    async def _receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        self.messages.append(message)
        if self._blocked_after is not None and len(self.messages) > self._blocked_after:
            await self.gone.wait()

    def _abort(self):
        self.cut = True


async def failing(parts):
    for _ in range(parts):
        yield b"audio"
    raise ServiceFailed("the server failed")


class Book:
    """A thousand parts; tells whether it was closed."""

    def __init__(self):
        self.closed = False

    async def parts(self):
        try:
            for _ in range(1000):
                await asyncio.sleep(0)
                yield b"audio"
        finally:
            self.closed = True


def test_what_fails_before_the_first_part_is_for_the_application_to_answer():
    async def check():
        client = Client(failing(0))
        with pytest.raises(ServiceFailed):
            await client.listen()
        assert client.messages == []

    asyncio.run(check())


def test_audio_that_fails_on_its_way_does_not_look_complete():
    async def check():
        client = Client(failing(2))
        await client.listen()
        assert client.body == b"audioaudio"
        assert client.cut
        assert not client.complete
        assert client.cut_off("failed") == 1

    asyncio.run(check())


def test_events_that_fail_on_their_way_end_with_the_error():
    async def check():
        client = Client(failing(2), failed=_failure_event)
        await client.listen()
        assert client.complete
        assert not client.cut
        assert client.body.endswith(
            b'data: {"type": "error", "error": {"message": "the server failed", "type": "server_error", '
            b'"param": null, "code": "server_failed"}}\n\n'
        )

    asyncio.run(check())


def test_a_client_that_leaves_while_it_is_waited_for_closes_the_speech():
    """Its leaving ends the waiting, too: neither may hide the other."""

    async def check():
        speech = Book()
        client = Client(speech.parts(), blocked_after=3)
        listening = asyncio.create_task(client.listen())
        while len(client.messages) <= 3:
            await asyncio.sleep(0)
        client.gone.set()
        await asyncio.wait_for(listening, 10)
        assert speech.closed
        assert len(client.messages) < 10
        assert client.cut_off("gone") == 1

    asyncio.run(check())


def test_a_client_that_takes_nothing_is_cut_off_and_its_speech_closed():
    async def check():
        speech = Book()
        client = Client(speech.parts(), blocked_after=3, stall_seconds=0.05)
        await asyncio.wait_for(client.listen(), 10)
        assert speech.closed
        assert client.cut
        assert client.cut_off("stalled") == 1

    asyncio.run(check())
