"""What health tells beside the voices: models, memory, queue and degradation."""

from __future__ import annotations

import json

import pytest
from client_fakes import Call, Triton, failed
from client_pages import PAGE
from metrics_page import serving

from client import Degradation, Health, InvalidRequest, MemoryUse, QueueState
from client._health import page_of
from client.cli import main


def test_health_tells_models_and_what_the_metrics_page_has(call: Call) -> None:
    with Triton() as triton, serving(PAGE) as page:
        health: Health = call(triton.address, "health", metrics=page)
    assert health.healthy
    states = {model.name: model.state for model in health.models}
    assert states["demo"] == "READY"
    assert list(states) == sorted(states)
    assert health.memory == MemoryUse(0.25, 0.5)
    assert health.queue == QueueState(2, 1, 3.25)
    assert health.degradation == Degradation(1, "small")


def test_a_page_of_the_servers_own_host_is_named_by_its_port(call: Call) -> None:
    with Triton() as triton, serving(PAGE) as page:
        health: Health = call(triton.address, "health", metrics=f":{page.rpartition(':')[2]}")
    assert health.degradation is not None


@pytest.mark.parametrize("page", ["", "tts_degradation_step 1\n", "<html>\n<b>hello"])
def test_what_a_page_does_not_tell_is_left_open_and_harms_nothing(call: Call, page: str) -> None:
    with Triton() as triton, serving(page) as address:
        health: Health = call(triton.address, "health", metrics=address)
        unread: Health = call(triton.address, "health", metrics="127.0.0.1:1")
    assert health.healthy
    assert unread.healthy
    assert (health.memory, health.queue) == (None, None)
    assert (unread.memory, unread.queue, unread.degradation) == (None, None, None)


@pytest.mark.parametrize("metrics", ["here", ":", ":0", ":99999", "http://a:1"])
def test_what_is_no_address_is_refused(call: Call, metrics: str) -> None:
    with Triton() as triton, pytest.raises(InvalidRequest, match="the metrics' address must be"):
        call(triton.address, "health", metrics=metrics)


def test_the_command_refuses_it_before_it_asks_any_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", "--metrics", "here"]) == 2
    assert "the metrics' address must be" in failed(capsys)


@pytest.mark.parametrize(
    ("server", "metrics", "page"),
    [
        ("tts:8001", ":8002", "tts:8002"),
        ("[::1]:8001", ":8002", "[::1]:8002"),
        ("tts:8001", "other:9", "other:9"),
        ("dns:///tts:8001", ":8002", None),
    ],
)
def test_the_page_is_at_the_servers_host_unless_told_otherwise(server: str, metrics: str, page: str | None) -> None:
    assert page_of(server, metrics) == page


def test_each_of_several_servers_tells_its_own(call: Call) -> None:
    with Triton() as first, Triton() as second, serving(PAGE) as page:
        health: Health = call(f"{first.address},{second.address}", "health", metrics=page)
    assert health.healthy
    assert [one.server for one in health.servers] == [first.address, second.address]
    assert all(one.models and one.degradation for one in health.servers)
    assert (health.models, health.degradation) == ((), None)


def test_health_is_told_in_words_and_as_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    with Triton() as triton, serving(PAGE) as page:
        asked = ["health", "--server", triton.address, "--metrics", page]
        assert main(asked) == 0
        out = capsys.readouterr().out
        assert main([*asked, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
    assert "memory used: host 25%, gpu 50%" in out
    assert "in flight: 2, waiting: 1, the first for 3.2 s" in out
    assert "degradation step: 1 (small)" in out
    assert "ready" in out
    assert told["degradation"] == {"step": 1, "name": "small"}
    assert told["queue"] == {"in_flight": 2, "waiting": 1, "oldest_wait": 3.25}
    assert told["memory"] == {"host": 0.25, "gpu": 0.5}
    assert {"name", "state", "reason", "version"} == set(told["models"][0])
