"""Whether the service speaks, and what the gateway counts."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from gateway.process import Gateway
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from client import Connection
from server.cli import app
from server.gateway.app import create_app
from server.gateway.settings import GatewaySettings
from server.gateway.state import PROBE_SECONDS, Kept


def counted(gateway: Gateway, name: str, **labels: str) -> float:
    page = httpx.get(f"{gateway.url}/metrics").text
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())


def test_health_tells_of_voices_queue_degradation_and_memory(gateway: Gateway) -> None:
    answer = httpx.get(f"{gateway.url}/health", timeout=60)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert found["healthy"] is True
    assert found["message"] == "every voice speaks"
    assert found["version"].endswith("2.51.0")
    (voice,) = found["voices"]
    assert (voice["voice"], voice["healthy"]) == ("demo", True)
    assert 0 < voice["first_audio"] <= voice["elapsed"]
    assert found["queue"].keys() == {"in_flight", "waiting", "oldest_wait"}
    assert all(value >= 0 for value in found["queue"].values())
    assert found["degradation"] == {"step": 0, "name": "full"}
    assert 0 < found["memory"]["host"] < 1


def test_however_often_it_is_asked_health_costs_one_synthesis_in_ten_seconds(gateway: Gateway) -> None:
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: httpx.get(f"{gateway.url}/health", timeout=60), range(40)))
    assert {answer.status_code for answer in answers} == {200}
    # No two are as long on their way.
    syntheses = {answer.json()["voices"][0]["elapsed"] for answer in answers}
    assert len(syntheses) <= 2 + (time.monotonic() - begin) // PROBE_SECONDS


def test_without_a_server_the_gateway_lives_and_health_says_why() -> None:
    alone = create_app(GatewaySettings(Connection("127.0.0.1:1"), metrics_server="127.0.0.1:1"))

    async def ask() -> tuple[httpx.Response, httpx.Response]:
        async with alone.router.lifespan_context(alone):
            transport = httpx.ASGITransport(alone)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
                return await http.get("/health"), await http.get("/health/live")

    health, live = asyncio.run(ask())
    assert health.status_code == 503
    assert health.json() | {"message": ""} == {
        "healthy": False,
        "message": "",
        "version": "",
        "voices": [],
        "queue": None,
        "degradation": None,
        "memory": None,
    }
    assert "127.0.0.1:1" in health.json()["message"]
    assert (live.status_code, live.json()) == (200, {"live": True})


def test_an_address_that_is_none_is_told_at_the_start() -> None:
    told = CliRunner().invoke(app, ["gateway", "--port", "0", "--metrics-server", "nonsense"])
    assert told.exit_code == 2
    assert "HOST:PORT" in told.output


def test_requests_are_counted_by_route_and_status(gateway: Gateway) -> None:
    def requests(route: str, status: str) -> float:
        return counted(gateway, "gateway_requests_total", route=route, status=status)

    good, bad, lost = requests("/v1/models", "200"), requests("/v1/audio/speech", "400"), requests("other", "404")
    httpx.get(f"{gateway.url}/v1/models")
    httpx.post(f"{gateway.url}/v1/audio/speech", json={})
    for path in ("/v1/nothing", "/v1/nothing/../else"):
        httpx.get(gateway.url + path)
    assert requests("/v1/models", "200") == good + 1
    assert requests("/v1/audio/speech", "400") == bad + 1
    assert requests("other", "404") == lost + 2


def test_the_first_byte_of_an_answer_is_timed(gateway: Gateway) -> None:
    def timed() -> float:
        return counted(gateway, "gateway_first_byte_seconds_count", route="/v1/audio/speech")

    before = timed()
    httpx.post(f"{gateway.url}/v1/audio/speech", json={"input": "你好"}, timeout=60)
    assert timed() == before + 1
    assert counted(gateway, "gateway_open_streams") == 0


def test_what_is_kept_is_fetched_once_by_all_who_ask() -> None:
    fetched = []

    async def fetch() -> int:
        fetched.append(len(fetched))
        await asyncio.sleep(0)
        return fetched[-1]

    async def ask() -> None:
        kept: Kept[int] = Kept(1000)
        assert await asyncio.gather(*(kept.get(fetch) for _ in range(9))) == [0] * 9
        assert await kept.get(fetch) == 0
        stale: Kept[int] = Kept(0)
        assert [await stale.get(fetch), await stale.get(fetch)] == [1, 2]

    asyncio.run(ask())


def test_who_leaves_takes_it_from_nobody() -> None:
    async def ask() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def fetch() -> str:
            begun.set()
            await go_on.wait()
            return "kept"

        kept: Kept[str] = Kept(1000)
        leaving, staying = (asyncio.create_task(kept.get(fetch)) for _ in range(2))
        await begun.wait()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        go_on.set()
        assert await staying == "kept"

    asyncio.run(ask())
