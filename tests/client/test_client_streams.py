"""Speech piece by piece, and when a request is tried again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from client_fakes import AsyncFakeTransport, Call, FakeTransport, Triton, events, refuse, response, speak, speech_chunk

from client import (
    AsyncSynthesizer,
    Chunk,
    InvalidRequest,
    Mark,
    ServiceUnavailable,
    SpeechError,
    Synthesizer,
    _retry,
)

Pieces = Callable[..., list[Chunk]]


def _sync(fake: FakeTransport, text: str, most: int = 99, **options: Any) -> list[Chunk]:
    found = []
    with Synthesizer(transport=fake) as synthesizer:
        stream = synthesizer.stream(text, **options)
        for chunk in stream:
            found.append(chunk)
            if len(found) == most:
                break
        stream.close()
        assert fake.open_streams == 0
    return found


def _async(fake: FakeTransport, text: str, most: int = 99, **options: Any) -> list[Chunk]:
    async def run() -> list[Chunk]:
        found = []
        async with AsyncSynthesizer(transport=AsyncFakeTransport(fake)) as synthesizer:
            stream = synthesizer.stream(text, **options)
            async for chunk in stream:
                found.append(chunk)
                if len(found) == most:
                    break
            await stream.aclose()
            assert fake.open_streams == 0
        return found

    return asyncio.run(run())


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def pieces(request: pytest.FixtureRequest) -> Pieces:
    """The chunks that a client's stream gives; closed after ``most``."""
    return request.param  # type: ignore[no-any-return]


NOTHING = Chunk(np.zeros(0, dtype=np.int16), 0)
BUSY = ServiceUnavailable("busy")


def test_each_piece_is_given_as_it_comes_with_what_it_tells(pieces: Pieces) -> None:
    first, second = speech_chunk(), speech_chunk(0.5, start=1.0)
    fake = FakeTransport([first, second])
    assert pieces(fake, "今天，好。", style="温柔", dictionary={"重庆": "chong2 qing4"}) == [first, second]
    assert first.marks == (Mark("m", 0.0),)
    assert (fake.requests[0].style, fake.requests[0].dictionary) == ("温柔", {"重庆": "chong2 qing4"})


def test_closing_a_stream_ends_the_request(pieces: Pieces) -> None:
    assert len(pieces(FakeTransport([speech_chunk(), speech_chunk(), speech_chunk()]), "好", most=1)) == 1


def test_a_wrong_argument_is_refused_before_the_first_step() -> None:
    with pytest.raises(InvalidRequest):
        Synthesizer(transport=FakeTransport()).stream("")
    with pytest.raises(InvalidRequest):
        AsyncSynthesizer(transport=AsyncFakeTransport(FakeTransport())).stream("好", style="")


def test_a_request_is_repeated_as_long_as_no_audio_came(pieces: Pieces) -> None:
    fake = FakeTransport([BUSY], [NOTHING, BUSY], [speech_chunk()])
    assert [chunk.samples.size for chunk in pieces(fake, "好")] == [0, 24000]
    assert len(fake.requests) == 3


def test_the_server_says_when_to_try_again(pieces: Pieces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_retry, "FIRST_PAUSE", 1000.0)
    fake = FakeTransport([ServiceUnavailable("busy", retry_after=0.001)], [speech_chunk()])
    assert len(pieces(fake, "好", timeout=5)) == 1


def test_a_wait_that_the_deadline_does_not_allow_is_not_begun(pieces: Pieces) -> None:
    fake = FakeTransport([ServiceUnavailable("busy", retry_after=60.0)], [speech_chunk()])
    with pytest.raises(ServiceUnavailable):
        pieces(fake, "好", timeout=5)
    assert len(fake.requests) == 1


def hold(request: Any, context: Any) -> Iterator[Any]:
    """Three responses, then silence for as long as the client waits."""
    for number in range(3):
        yield response(0.1, events(clauses=events()["clauses"] if number == 0 else []))
    gone = threading.Event()
    if context.add_callback(gone.set):
        gone.wait(10)


def test_closing_a_stream_ends_the_request_on_the_server() -> None:
    with Triton(hold) as triton, Synthesizer(triton.address) as synthesizer:
        stream = synthesizer.stream("好")
        assert [len(next(stream).clauses) for _ in range(3)] == [1, 0, 0]
        stream.close()
        assert triton.ended.wait(5)


def test_leaving_an_asynchronous_stream_ends_the_request_on_the_server() -> None:
    async def run(triton: Triton) -> None:
        async with AsyncSynthesizer(triton.address) as synthesizer:
            stream = synthesizer.stream("好")
            assert (await anext(stream)).samples.size
            await stream.aclose()
            assert await asyncio.to_thread(triton.ended.wait, 5)

    with Triton(hold) as triton:
        asyncio.run(run(triton))


@pytest.mark.parametrize(
    ("details", "seconds"),
    [
        ("overloaded: 8 requests run and 16 wait; retry after 2.5 s", 2.5),
        ("overloaded, retry after 12 s", 12.0),
        ("voice x cannot be loaded: no memory", None),
    ],
)
def test_the_hint_of_a_busy_server_is_read(
    call: Call, details: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Triton(refuse(grpc.StatusCode.UNAVAILABLE, details)) as triton, pytest.raises(SpeechError) as caught:
        call(triton.address, "synthesize", "好", timeout=2)
    assert isinstance(caught.value, ServiceUnavailable)
    assert caught.value.retry_after == seconds
    assert details in str(caught.value)


def test_no_number_of_seconds_is_too_many(call: Call) -> None:
    with Triton(speak) as triton:
        assert call(triton.address, "synthesize", "好", timeout=1e300).duration == 2.0
