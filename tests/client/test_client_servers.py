"""Addresses as they are written, and which of several servers is next."""

from __future__ import annotations

import pytest

from client import InvalidRequest, ServerUnreachable, ServiceUnavailable, Synthesizer
from client._address import Addresses, parse
from client._servers import FIRST_REST, LONGEST_REST, Servers


@pytest.mark.parametrize(
    ("server", "found"),
    [
        ("a:1", Addresses(("a:1",))),
        ("a:1, b:2,[::1]:3", Addresses(("a:1", "b:2", "[::1]:3"))),
        ("dns:///tts.speech.svc:8001", Addresses(("tts.speech.svc:8001",), "tts.speech.svc")),
    ],
)
def test_an_address_is_one_server_several_or_a_name(server: str, found: Addresses) -> None:
    assert parse(server) == found


@pytest.mark.parametrize("server", ["a:1,", "a:1,b", "a:1;b:2", "a:1,a:1", "dns:///a", "dns://a:1", "dns:///a:1,b:1"])
def test_addresses_that_make_no_sense_are_refused(server: str) -> None:
    with pytest.raises(InvalidRequest, match="server must"):
        Synthesizer(server)


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def chosen(servers: Servers, count: int) -> str:
    """The next servers, each finished before the next begins."""
    found = []
    for _ in range(count):
        address = servers.begin(()) or "-"
        servers.end(address)
        found.append(address)
    return "".join(found)


def test_servers_take_turns() -> None:
    assert chosen(Servers("abc"), 7) == "abcabca"


def test_the_one_with_the_least_to_do_is_next() -> None:
    servers = Servers("ab")
    assert [servers.begin(()) for _ in range(4)] == ["a", "b", "a", "b"]
    servers.end("b")
    servers.end("b")
    assert [servers.begin(()) for _ in range(3)] == ["b", "b", "a"]


def test_one_that_failed_rests_longer_each_time_and_is_then_tried_by_one_request() -> None:
    clock = Clock()
    servers = Servers("ab", clock)
    for rest in (FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST):
        servers.failed("a", ServerUnreachable("away"))
        assert chosen(servers, 3) == "bbb"
        clock.now += rest
        assert servers.begin(()) == "a"
        assert servers.begin(()) == "b"
        servers.end("a")
        servers.end("b")
    servers.answered("a")
    assert sorted(chosen(servers, 2)) == ["a", "b"]


def test_no_rest_is_longer_than_the_longest() -> None:
    clock = Clock()
    servers = Servers("ab", clock)
    for _ in range(50):
        servers.failed("a", ServerUnreachable("away"))
    servers.failed("b", ServiceUnavailable("busy", retry_after=600.0))
    clock.now = LONGEST_REST
    assert sorted(chosen(servers, 2)) == ["a", "b"]


def test_when_all_rest_the_one_that_is_ready_first_is_tried_and_no_other() -> None:
    servers = Servers("ab", Clock())
    servers.failed("a", ServiceUnavailable("busy", retry_after=5.0))
    servers.failed("b", ServiceUnavailable("busy", retry_after=2.0))
    assert servers.begin(()) == "b"
    assert servers.begin(("b",)) is None


def test_a_server_that_is_gone_is_told_when_its_last_request_is_over() -> None:
    servers = Servers("ab")
    assert (servers.begin(()), servers.begin(())) == ("a", "b")
    servers.replace(["b", "c"])
    assert servers.left() == []
    servers.end("a")
    assert (servers.left(), servers.left()) == (["a"], [])
    assert servers.addresses == ("b", "c")
