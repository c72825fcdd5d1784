"""Several servers: how work is shared, who takes over, and servers that come and go behind a name."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from client_fakes import Call, Triton, refuse, response

from client import (
    AsyncSynthesizer,
    ConnectionLost,
    InvalidRequest,
    ServerUnreachable,
    ServiceUnavailable,
    Synthesizer,
    Timeout,
    VoiceNotFound,
    _names,
)

BUSY = refuse(grpc.StatusCode.UNAVAILABLE, "overloaded, retry after 30 s")


@pytest.fixture
def two() -> Iterator[tuple[Triton, Triton]]:
    with Triton() as first, Triton() as second:
        yield first, second


def both(*servers: Triton) -> str:
    return ",".join(server.address for server in servers)


def test_requests_are_shared(two: tuple[Triton, Triton]) -> None:
    with Synthesizer(both(*two)) as synthesizer, ThreadPoolExecutor(6) as pool:
        assert {speech.duration for speech in pool.map(lambda _: synthesizer.synthesize("好"), range(30))} == {2.0}
    counts = [len(server.requests) for server in two]
    assert sum(counts) == 30
    assert min(counts) >= 10


def test_asynchronous_requests_are_shared(two: tuple[Triton, Triton]) -> None:
    async def run() -> None:
        async with AsyncSynthesizer(both(*two)) as synthesizer:
            await asyncio.gather(*(synthesizer.synthesize("好") for _ in range(10)))

    asyncio.run(run())
    assert [len(server.requests) for server in two] == [5, 5]


def test_what_one_cannot_take_the_other_takes_at_once(call: Call) -> None:
    with Triton(BUSY) as busy, Triton() as idle:
        assert call(both(busy, idle), "synthesize", "好", timeout=5).duration == 2.0
    assert (len(busy.requests), len(idle.requests)) == (1, 1)


def test_when_none_can_the_one_that_says_when_is_told(call: Call) -> None:
    with Triton(BUSY) as busy, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ServiceUnavailable, match="retry after 30 s"):
            call(f"{busy.address},127.0.0.1:{unused.getsockname()[1]}", "synthesize", "好", timeout=5)


def test_an_address_that_says_nothing_delays_one_request_and_no_other() -> None:
    with Triton() as well, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        timeout = Timeout(total=10, connect=0.2)
        with Synthesizer(f"127.0.0.1:{silent.getsockname()[1]},{well.address}", timeout=timeout) as synthesizer:
            for _ in range(4):
                synthesizer.synthesize("好")
    assert len(well.requests) == 4


def test_a_wrong_request_is_refused_by_the_first_that_sees_it(call: Call) -> None:
    wrong = refuse(grpc.StatusCode.INVALID_ARGUMENT, "shorten it")
    with Triton(wrong) as first, Triton(wrong) as second, pytest.raises(InvalidRequest, match="shorten it"):
        call(both(first, second), "synthesize", "好")
    assert len(first.requests) + len(second.requests) == 1


def test_a_server_that_ended_while_nothing_was_asked_costs_no_request(call: Call) -> None:
    with Triton() as first, Triton() as second:
        with Synthesizer(both(first, second)) as synthesizer:
            for _ in range(2):
                synthesizer.synthesize("好")
            first.server.stop(0).wait()
            assert [synthesizer.synthesize("好").duration for _ in range(6)] == [2.0] * 6
        assert len(second.requests) == 7


def test_a_server_that_is_back_gets_work_again() -> None:
    with Triton() as first, Triton() as second, Synthesizer(both(first, second)) as synthesizer:
        synthesizer.synthesize("好")
        first.server.stop(0).wait()
        again = Triton()
        assert again.server.add_insecure_port(first.address)
        with again:
            _until(lambda: synthesizer.synthesize("好") and again.requests)


def test_a_stream_whose_server_ends_is_finished_by_the_other(call: Call) -> None:
    def ends(request: Any, context: Any) -> Iterator[Any]:
        yield response()
        context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    with Triton(ends) as first, Triton() as second:
        speech = call(both(first, second), "synthesize", "好")
    assert (speech.duration, len(speech.clauses)) == (2.0, 1)
    assert (len(first.requests), len(second.requests)) == (1, 1)


def test_a_text_that_ends_its_server_ends_few(call: Call) -> None:
    deadly = refuse(grpc.StatusCode.UNAVAILABLE, "Socket closed")
    with ExitStack() as stack:
        servers = [stack.enter_context(Triton(deadly)) for _ in range(6)]
        with pytest.raises(ConnectionLost):
            call(both(*servers), "synthesize", "好")
        assert sum(len(server.requests) for server in servers) == 3


def test_a_closed_client_connects_to_nobody() -> None:
    with Triton() as triton:
        synthesizer = Synthesizer(triton.address)
        synthesizer.synthesize("好")
        synthesizer.close()
        with pytest.raises(InvalidRequest, match="this client is closed"):
            synthesizer.synthesize("好")


def test_models_come_and_go_on_every_server(call: Call, two: tuple[Triton, Triton]) -> None:
    assert call(both(*two), "load", "ghost").ready
    call(both(*two), "unload", "demo")
    for server in two:
        assert server.changes[0] == "+ghost"
        assert "-demo" in server.changes


def test_voices_are_those_of_all_servers(call: Call, two: tuple[Triton, Triton]) -> None:
    first, second = two
    first.models = {"tts": "READY"}
    second.models |= {"ghost": "READY", "ghost_encoder": "READY"}
    assert [(voice.name, voice.ready) for voice in call(both(*two), "voices")] == [("demo", True), ("ghost", True)]
    second.server.stop(0).wait()
    assert call(both(*two), "voices") == []


def test_a_voice_that_none_has_is_not_found(call: Call, two: tuple[Triton, Triton]) -> None:
    with pytest.raises(VoiceNotFound):
        call(both(*two), "load", "nobody")


def test_a_service_is_well_when_every_server_is(call: Call, two: tuple[Triton, Triton]) -> None:
    first, second = two
    health = call(both(*two), "health")
    assert health.healthy
    assert [(voice.server, voice.voice) for voice in health.voices] == [(s.address, "demo") for s in two]
    second.answers = (BUSY,)
    ill = call(both(*two), "health", timeout=1)
    assert not ill.healthy
    assert ill.message.startswith(f"{second.address}: voice demo: ")
    assert first.requests


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a name stands for, to be changed; it is looked up again at once."""
    found: list[str] = []
    monkeypatch.setattr(_names, "lookup", lambda host, port: list(found))
    monkeypatch.setattr(_names, "EVERY", 0.0)
    monkeypatch.setattr(_names, "AT_LEAST", 0.0)
    return found


def test_a_name_is_looked_up_by_the_system(call: Call) -> None:
    with Triton() as triton:
        port = triton.address.rpartition(":")[2]
        assert call(f"dns:///localhost:{port}", "synthesize", "好").duration == 2.0


def test_a_name_that_nobody_knows_is_told(call: Call) -> None:
    with pytest.raises(ServerUnreachable, match=r"cannot find the host of no-such-host\.invalid:8001"):
        call("dns:///no-such-host.invalid:8001", "synthesize", "好")


def test_servers_that_come_and_go_behind_a_name_are_found(name: list[str], two: tuple[Triton, Triton]) -> None:
    first, second = two
    name.append(first.address)
    with Synthesizer("dns:///tts:8001", timeout=10) as synthesizer:
        synthesizer.synthesize("好")
        name.append(second.address)
        _until(lambda: synthesizer.synthesize("好") and second.requests)
        name.remove(first.address)
        first.server.stop(0).wait()
        _until(lambda: synthesizer.synthesize("好") and len(_known(synthesizer)) == 1)
        name[:] = []  # the name stands for nothing for a while: those that are known stay
        for _ in range(5):
            synthesizer.synthesize("好")


def test_a_request_waits_for_servers_that_were_all_replaced(name: list[str], two: tuple[Triton, Triton]) -> None:
    first, second = two
    name.append(first.address)

    async def run() -> None:
        async with AsyncSynthesizer("dns:///tts:8001", timeout=10) as synthesizer:
            await synthesizer.synthesize("好")
            first.server.stop(0).wait()
            name[:] = [second.address]
            assert (await synthesizer.synthesize("好")).duration == 2.0

    asyncio.run(run())


def _known(synthesizer: Synthesizer) -> tuple[str, ...]:
    return synthesizer._transport._servers.addresses  # type: ignore[attr-defined, no-any-return]


def _until(holds: Callable[[], object]) -> None:
    for _ in range(400):
        if holds():
            return
        threading.Event().wait(0.01)
    pytest.fail("not within 4 s")
