"""Two real servers behind one client: work is shared, and whoever of them is killed, no request is lost."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from triton_calls import Triton

from client import AsyncSynthesizer, Speech, Synthesizer
from client._assemble import Assembly
from server import ServerOptions, TritonServer

LONG = "人工智能正在改变我们的生活方式，也带来了新的挑战和机会。春天来了，花都开了！我们去公园散步，好吗？" * 2
SHORT = "今天天气真好，我们去公园散步吧。"
STREAMS, WHOLE, HEARD = 10, 14, 8
TIMEOUT = 240.0
ROUNDING = 8  # of 32767: two servers may cut the audio into other pieces, whose sums round otherwise


@pytest.fixture(scope="module")
def mortal(repository) -> Iterator[TritonServer]:
    """A second server, which the tests may kill."""
    with TritonServer(ServerOptions(repository)) as running:
        yield running


@pytest.fixture
def addresses(service: TritonServer, mortal: TritonServer) -> str:
    return f"{service.address.grpc},{mortal.address.grpc}"


def kill(server: TritonServer) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)


def same(speech: Speech, whole: Speech) -> bool:
    """All of the audio and of what is told about it, each once."""
    return (speech.samples.size, speech.clauses, speech.marks) == (whole.samples.size, whole.clauses, whole.marks)


def test_requests_are_shared(service, mortal, addresses):
    counted = [Triton(server.address.grpc) for server in (service, mortal)]
    before = [server.counts("text_frontend")[0] for server in counted]
    with Synthesizer(addresses, timeout=TIMEOUT) as synthesizer, ThreadPoolExecutor(4) as pool:
        list(pool.map(synthesizer.synthesize, [SHORT] * 16))
    shares = [server.counts("text_frontend")[0] - begun for server, begun in zip(counted, before, strict=True)]
    for server in counted:
        server.client.close()
    print(f"16 requests: {shares}")
    assert min(shares) >= 5


def test_a_long_stream_outlasts_the_restart_of_its_only_server(mortal, synthesizer, monkeypatch):
    whole = synthesizer.synthesize(LONG, timeout=TIMEOUT)
    monkeypatch.setattr("client._protocol.PART_SECONDS", 5)
    with Synthesizer(mortal.address.grpc, timeout=TIMEOUT) as alone, ThreadPoolExecutor(1) as pool:
        stream = alone.stream(LONG)
        heard = Assembly()
        while heard.seconds < 8.0:  # in the second part, or the third
            heard.add(next(stream))
        kill(mortal)
        back: Future[None] = pool.submit(restart, mortal)
        for chunk in stream:
            heard.add(chunk)
        back.result()
    speech = heard.finish()
    assert same(speech, whole)
    assert np.abs(speech.samples.astype(int) - whole.samples).max() <= ROUNDING


def restart(server: TritonServer) -> None:
    server.restart()
    server.wait_ready()


def test_no_request_is_lost_when_one_is_killed_under_load(mortal, addresses, synthesizer, caplog):
    wholes = {text: synthesizer.synthesize(text, timeout=TIMEOUT) for text in (LONG, SHORT)}
    heard = threading.Semaphore(0)

    async def stream(client: AsyncSynthesizer) -> Speech:
        speech = Assembly()
        async for chunk in client.stream(LONG):
            if not speech.samples:
                heard.release()
            speech.add(chunk)
        return speech.finish()

    async def streams() -> list[Speech]:
        async with AsyncSynthesizer(addresses, timeout=TIMEOUT) as client:
            return await asyncio.gather(*(stream(client) for _ in range(STREAMS)))

    with (
        caplog.at_level(logging.INFO, logger="client"),
        Synthesizer(addresses, timeout=TIMEOUT) as client,
        ThreadPoolExecutor(WHOLE + 1) as pool,
    ):
        streamed = pool.submit(asyncio.run, streams())
        asked = [pool.submit(client.synthesize, SHORT) for _ in range(WHOLE)]
        for _ in range(HEARD):
            assert heard.acquire(timeout=TIMEOUT)
        kill(mortal)
        speeches = [*streamed.result(), *(request.result() for request in asked)]
        after = [client.synthesize(SHORT) for _ in range(4)]
    again = [message for message in caplog.messages if message.startswith("the request is sent again")]
    resumed = [message for message in again if "after 0.00 s" not in message]
    elsewhere = [message for message in caplog.messages if " takes what " in message]
    print(f"{len(speeches)} requests: {len(again)} sent again, {len(resumed)} after audio; {len(elsewhere)} moved")
    assert all(same(speech, wholes[LONG]) for speech in speeches[:STREAMS])
    assert all(same(speech, wholes[SHORT]) for speech in [*speeches[STREAMS:], *after])
    assert resumed, "the server died before anybody listened to it"
