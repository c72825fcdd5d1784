"""Addresses where nobody, somebody else or a server that went away answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from client_fakes import Call, Triton

from client import (
    ConnectTimeout,
    DeadlineExceeded,
    ServiceUnavailable,
    Synthesizer,
    Timeout,
)


@pytest.fixture
def dead_address() -> Iterator[str]:
    """An address that refuses: bound, so that nobody else gets it, and not listening."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{unused.getsockname()[1]}"


@pytest.mark.parametrize(("method", "arguments"), [("synthesize", ("好",)), ("voices", ())])
def test_a_dead_address_fails_soon(call: Call, dead_address: str, method: str, arguments: tuple[str, ...]) -> None:
    start = time.monotonic()
    with pytest.raises(ServiceUnavailable, match=f"no gRPC server at {dead_address}: start one"):
        call(dead_address, method, *arguments)
    assert time.monotonic() - start < 5


def test_a_dead_address_is_ill(call: Call, dead_address: str) -> None:
    health = call(dead_address, "health")
    assert not health.healthy
    assert dead_address in health.message


def test_an_address_that_does_not_exist_is_named(call: Call) -> None:
    with pytest.raises(ServiceUnavailable, match=r"cannot find the host of no-such-host.invalid:8001"):
        call("no-such-host.invalid:8001", "voices")


def test_an_address_that_takes_connections_and_says_nothing_fails_soon(call: Call) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ConnectTimeout, match=f"nothing answers at {address} within 0.3 s"):
            call(address, "synthesize", "好", timeout=Timeout(connect=0.3))


def test_a_deadline_before_the_connect_timeout_is_a_deadline(call: Call) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(DeadlineExceeded):
            call(f"127.0.0.1:{silent.getsockname()[1]}", "synthesize", "好", timeout=0.2)


def test_a_server_of_another_protocol_is_told_apart(call: Call) -> None:
    def greet(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet, args=(listener,))
        thread.start()
        try:
            with pytest.raises(ServiceUnavailable, match="does not speak gRPC"):
                call(f"127.0.0.1:{listener.getsockname()[1]}", "voices")
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_client_finds_a_server_that_came_back() -> None:
    with Triton() as triton, Synthesizer(triton.address, timeout=10) as synthesizer:
        assert synthesizer.synthesize("好").duration == 2.0
        triton.server.stop(0).wait()
        with pytest.raises(ServiceUnavailable):
            synthesizer.synthesize("好")
        with _at(triton.address):
            until = time.monotonic() + 5
            while True:
                try:
                    assert synthesizer.synthesize("好").duration == 2.0
                    break
                except ServiceUnavailable:
                    assert time.monotonic() < until
                    time.sleep(0.05)


def _at(address: str) -> Triton:
    """A server at ``address``."""
    triton = Triton()
    assert triton.server.add_insecure_port(address)
    return triton
