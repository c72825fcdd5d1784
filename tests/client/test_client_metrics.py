"""The server's metrics, read and told."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress

import pytest
from client_fakes import failed
from client_pages import PAGE
from hypothesis import given
from hypothesis import strategies as st
from metrics_page import serving

from client import InvalidRequest, ProtocolError, ServerUnreachable, ServiceFailed, read_metrics
from client._metrics import parse, summary
from client.cli import main


def test_a_page_is_summed_up() -> None:
    found = summary(parse(PAGE))
    assert found.requests == {"ok": 5, "unavailable": 2}
    assert (found.in_flight, found.waiting, found.degradation_step) == (2, 1, 1)
    assert found.refused == {"overloaded": 2}
    assert (found.oldest_wait, found.synthesis_seconds, found.out_of_memory) == (3.25, 12.3456, 2)
    assert (found.memory, found.unhealthy) == ({"host": 0.25, "gpu": 0.5}, ("aligner",))
    assert (found.audio_seconds, found.first_audio) == (123.456, 0.1)
    assert (found.voice_loads, found.voice_unloads, found.revivals) == ({"demo": 1}, {"demo": 3}, {})
    melgan, idle, front = found.models
    assert (melgan.model, melgan.requests, melgan.inferences, melgan.executions) == ("demo_melgan", 12, 12, 5)
    assert (melgan.mean_batch, melgan.pending, melgan.cache_hits, melgan.cache_misses) == (2.4, 3, 4, 8)
    assert (idle.model, idle.mean_batch) == ("idle", None)
    assert (front.failures, front.cache_hits) == (3, None)


def test_a_server_that_counts_less_leaves_it_open() -> None:
    found = summary(parse(""))
    assert found.in_flight is found.audio_seconds is found.first_audio is found.degradation_step is None
    assert found.models == ()


def test_metrics_are_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(PAGE) as address:
        assert main(["metrics", "--metrics", address]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert lines[:9] == [
        "requests: 5 ok, 2 unavailable",
        "in flight: 2, waiting: 1, the first for 3.2 s",
        "refused: 2 overloaded",
        "degradation step: 1 (small)",
        "audio: 123.5 s, the first after 0.100 s on average, real-time factor 0.10",
        "memory used: gpu 50%, host 25%",
        "out of memory: 2",
        "dead models: aligner",
        "voices loaded: 1 demo",
    ]
    table = [line.split() for line in lines[lines.index(next(line for line in lines if "MODEL" in line)) :]]
    assert table[1] == ["demo_melgan", "12", "0", "3", "12", "5", "2.40", "4", "of", "12"]
    assert table[2] == ["idle", "0", "0", "0", "0", "0", "-", "-"]


def test_metrics_are_one_object_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(PAGE) as address:
        assert main(["metrics", "--json", "--metrics", address]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert tree["requests"] == {"ok": 5, "unavailable": 2}
    assert tree["models"][0]["mean_batch"] == 2.4


def test_an_unreachable_or_other_server_is_exit_1_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--metrics", "127.0.0.1:1"]) == 1
    assert "no metrics at 127.0.0.1:1: give the server's metrics port" in failed(capsys)
    with serving("lost", status=404) as address:
        assert main(["metrics", "--metrics", address]) == 1
        assert f"{address} has no metrics (HTTP 404)" in failed(capsys)
    with serving("<html>\n<b>hello world</b>") as address:
        assert main(["metrics", "--metrics", address]) == 1
        assert "the server's metrics cannot be read" in failed(capsys)


def test_a_server_that_says_nothing_or_nonsense_is_noticed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerUnreachable, match="timed out"):
            read_metrics(address, timeout=0.2)
        accept = threading.Thread(target=_answer_nonsense, args=(silent, 2))
        accept.start()
        with pytest.raises(ServiceFailed, match="does not speak HTTP"):
            read_metrics(address, timeout=5)
        accept.join()


def _answer_nonsense(server: socket.socket, connections: int) -> None:
    for _ in range(connections):  # the first is the one that was given up
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"\x00\x01 nonsense\n")


@pytest.mark.parametrize("address", ["here", "http://127.0.0.1:8002", "h:0"])
def test_an_address_is_host_and_port(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--metrics", address]) == 2
    assert "the metrics' address must be HOST:PORT" in failed(capsys)


def test_the_servers_host_is_the_metrics_host_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--server", "no.such.host.invalid:1", "--timeout", "5"]) == 1
    assert "no metrics at no.such.host.invalid:8002" in failed(capsys)
    assert main(["metrics", "--server", "here"]) == 2
    assert "server must be HOST:PORT" in failed(capsys)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_is_a_positive_number(timeout: float) -> None:
    with pytest.raises(InvalidRequest, match="timeout must be"):
        read_metrics(timeout=timeout)


@given(st.text(alphabet='nv_tsinferc#{}="\\ 0123.e+\n\r\tNaN') | st.text())
def test_no_page_raises_anything_else(page: str) -> None:
    with suppress(ProtocolError):
        summary(parse(page))
