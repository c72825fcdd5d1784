"""Both gRPC transports against a tiny server that speaks Triton's protocol."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from client_fakes import Answer, Call, Triton, final_response, refuse, response, speak
from tritonclient.grpc import service_pb2

from client import (
    AsyncSynthesizer,
    DeadlineExceeded,
    InvalidRequest,
    ProtocolError,
    ServerUnreachable,
    ServiceFailed,
    ServiceUnavailable,
    SpeechError,
    Synthesizer,
    VoiceNotFound,
)
from client._answer import WASTED


def until_cancelled(request: Any, context: Any) -> Iterator[Any]:
    """One response, then silence for as long as the client waits."""
    yield response()
    gone = threading.Event()
    if context.add_callback(gone.set):
        gone.wait(10)


def test_a_text_is_spoken(call: Call) -> None:
    with Triton() as triton:
        speech = call(triton.address, "synthesize", "今天，", voice="demo", pitch=-3)
    assert speech.duration == 2.0
    assert speech.words[0].text == "今天"
    assert [tensor.name for tensor in triton.requests[0].inputs] == ["TEXT", "VOICE", "PITCH"]
    assert "triton_grpc_error" not in triton.headers[0], "it makes Triton 2.51 abort"


def test_an_answer_of_many_megabytes_arrives(call: Call) -> None:
    def answer(request: Any, context: Any) -> Iterator[Any]:
        yield response(300.0, final=True)

    with Triton(answer) as triton:
        assert call(triton.address, "synthesize", "好").duration == 300.0


def test_the_end_is_seen_although_the_stream_stays_open(call: Call) -> None:
    def answer(request: Any, context: Any) -> Iterator[Any]:
        yield response(final=True)
        yield from until_cancelled(request, context)

    with Triton(answer) as triton:
        assert call(triton.address, "synthesize", "好", timeout=1.0).duration == 1.0


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("INVALID_ARGUMENT: shorten it", InvalidRequest, "shorten it"),
        ("NOT_FOUND: there is no voice 'x'", VoiceNotFound, "there is no voice 'x'"),
        ("Stub process 'tts_0_0' is not healthy.", ServerUnreachable, "a model of the server died"),
        ("DEADLINE_EXCEEDED: it waited too long", DeadlineExceeded, "no complete answer within 10 s"),
        ("DEADLINE_EXCEEDED: it waited too long", DeadlineExceeded, "(it waited too long)"),
        ("INTERNAL: Stub process 'demo_0_0' is not healthy.", ServiceUnavailable, "a model of the server died"),
        ("INTERNAL: demo_encoder: Error: Server not ready", ServerUnreachable, "is stopping, try again later"),
        ("UNAVAILABLE: full", ServiceUnavailable, "cannot answer now, try again later: full"),
        ("INTERNAL: melgan: broken", ServiceFailed, "the server failed (INTERNAL): melgan: broken"),
        ("Request for unknown model: 'tts' is not found", ServerUnreachable, "has no model 'tts' ready"),
        ("something: else", ServiceFailed, "the server failed (UNKNOWN): something: else"),
    ],
)
def test_an_error_inside_the_stream_has_its_exception(
    call: Call, text: str, kind: type[SpeechError], message: str
) -> None:
    def answer(request: Any, context: Any) -> Iterator[Any]:
        yield service_pb2.ModelStreamInferResponse(error_message=text)

    with Triton(answer) as triton, pytest.raises(SpeechError) as caught:
        call(triton.address, "synthesize", "好")
    assert type(caught.value) is kind
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("INVALID_ARGUMENT", InvalidRequest, "shorten it"),
        ("NOT_FOUND", VoiceNotFound, "shorten it"),
        ("UNAVAILABLE", ServiceUnavailable, "cannot answer now, try again later: shorten it"),
        ("INTERNAL", ServiceFailed, "the server failed (INTERNAL): shorten it"),
        ("UNKNOWN", ServiceFailed, "the server failed (UNKNOWN): shorten it"),
        ("RESOURCE_EXHAUSTED", ServiceFailed, "shorten it"),
        ("UNIMPLEMENTED", ServiceFailed, "is not this service, or another version: shorten it"),
        ("CANCELLED", ServiceFailed, "the server cancelled the request: shorten it"),
        ("DEADLINE_EXCEEDED", DeadlineExceeded, "no complete answer within 10 s"),
    ],
)
def test_each_status_has_its_exception(call: Call, code: str, kind: type[SpeechError], message: str) -> None:
    with (
        Triton(refuse(grpc.StatusCode[code], "shorten\n  it")) as triton,
        pytest.raises(SpeechError) as caught,
    ):
        call(triton.address, "synthesize", "好")
    assert type(caught.value) is kind
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_without_the_front_door_is_no_matter_of_voices(call: Call) -> None:
    details = "Request for unknown model: 'tts' is not found"
    with (
        Triton(refuse(grpc.StatusCode.NOT_FOUND, details)) as triton,
        pytest.raises(ServiceUnavailable, match="has no model 'tts' ready"),
    ):
        call(triton.address, "synthesize", "好")


def test_a_busy_server_is_asked_again_and_each_request_is_whole(call: Call) -> None:
    busy = refuse(grpc.StatusCode.UNAVAILABLE, "full")
    with Triton(busy, busy, speak) as triton:
        assert call(triton.address, "synthesize", "好").duration == 2.0
    assert len(triton.requests) == 3
    assert triton.requests[0].inputs == triton.requests[2].inputs
    first, last = (triton.requests[number].parameters["timeout"].int64_param for number in (0, 2))
    assert 10_000_000 > first > last > 0, "each says what is left of the deadline"


def test_a_request_whose_server_gives_up_in_the_middle_is_repeated_without_what_came(call: Call) -> None:
    def answer(request: Any, context: Any) -> Iterator[Any]:
        yield response()
        context.abort(grpc.StatusCode.UNAVAILABLE, "full")

    with Triton(answer, speak) as triton:
        speech = call(triton.address, "synthesize", "好")
    assert (speech.duration, len(speech.clauses), len(triton.requests)) == (2.0, 1, 2)


def test_a_request_that_never_gets_further_is_given_up(call: Call) -> None:
    def answer(request: Any, context: Any) -> Iterator[Any]:
        yield response()
        context.abort(grpc.StatusCode.UNAVAILABLE, "full")

    with Triton(answer) as triton, pytest.raises(ServiceUnavailable):
        call(triton.address, "synthesize", "好")
    assert len(triton.requests) == 1 + WASTED


def _stops_short(request: Any, context: Any) -> Iterator[Any]:
    yield response()


def _says_nothing(request: Any, context: Any) -> Iterator[Any]:
    yield final_response()


@pytest.mark.parametrize("answer", [_stops_short, _says_nothing])
def test_an_answer_that_is_cut_short_is_noticed(call: Call, answer: Answer) -> None:
    with Triton(answer) as triton, pytest.raises(ProtocolError):
        call(triton.address, "synthesize", "好")


def test_a_deadline_ends_the_request_on_the_server_too(call: Call) -> None:
    with Triton(until_cancelled) as triton:
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded, match=r"no complete answer within 0.3 s"):
            call(triton.address, "synthesize", "好", timeout=0.3)
        assert time.monotonic() - start < 5
        assert triton.ended.wait(5)


def leave(progress: object) -> None:
    """A callback that has heard enough."""
    raise KeyError("enough")


def test_leaving_in_the_middle_ends_the_request_on_the_server_too() -> None:
    with Triton(until_cancelled) as triton, Synthesizer(triton.address) as synthesizer:
        with pytest.raises(KeyError) as caught:
            synthesizer.synthesize("好", on_progress=leave)
        assert triton.ended.wait(5), "while the client is open and the error holds on to its frames"
        assert caught.value


def test_leaving_an_asynchronous_request_ends_it_on_the_server_too() -> None:
    async def run(triton: Triton) -> None:
        async with AsyncSynthesizer(triton.address) as synthesizer:
            with pytest.raises(KeyError) as caught:
                await synthesizer.synthesize("好", on_progress=leave)
            assert await asyncio.to_thread(triton.ended.wait, 5)
            assert caught.value

    with Triton(until_cancelled) as triton:
        asyncio.run(run(triton))


def test_a_cancelled_task_ends_the_request_on_the_server_too() -> None:
    async def run(triton: Triton) -> None:
        began = asyncio.Event()
        async with AsyncSynthesizer(triton.address) as synthesizer:
            speaking = synthesizer.synthesize("好", on_progress=lambda progress: began.set())
            task = asyncio.create_task(speaking)
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(triton.ended.wait, 5)

    with Triton(until_cancelled) as triton:
        asyncio.run(run(triton))


def test_one_client_serves_many_at_once() -> None:
    async def run(address: str) -> None:
        async with AsyncSynthesizer(address) as synthesizer:
            speeches = await asyncio.gather(*(synthesizer.synthesize(str(number)) for number in range(8)))
        assert [speech.duration for speech in speeches] == [2.0] * 8

    with Triton() as triton:
        asyncio.run(run(triton.address))
        durations: list[float] = []
        with Synthesizer(triton.address) as synthesizer:
            threads = [
                threading.Thread(target=lambda: durations.append(synthesizer.synthesize("好").duration))
                for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert durations == [2.0] * 8


def test_voices_and_health_are_read_from_a_server(call: Call) -> None:
    with Triton() as triton:
        voices = call(triton.address, "voices")
        assert [(voice.name, voice.ready, voice.sample_rate) for voice in voices] == [
            ("demo", True, 24000),
            ("ghost", False, 0),
        ]
        health = call(triton.address, "health")
    assert health.healthy
    assert health.server == triton.address
    assert health.version == "triton 2.51.0"
