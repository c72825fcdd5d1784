"""Audio with the times of its words, as lines of JSON while it is spoken."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import numpy as np
import pytest
from gateway.process import PATIENCE, Gateway

from client import (
    Chunk,
    Clause,
    ServiceFailed,
    ServiceUnavailable,
    Speech,
    SpeechError,
    Synthesizer,
    Word,
    read_metrics,
)
from server import TritonServer
from server.gateway.app import create_app
from server.gateway.service import Service
from server.gateway.settings import GatewaySettings

ROUTE = "/v1/audio/captions"
TEXT = "今天天气真好，我们去公园。2024年再见😀！"
# Minutes of audio, which nobody waits for.
BOOK = "今天天气真好，我们一起去公园散步，然后回家吃饭。" * 400


def lines(gateway: Gateway, **body: Any) -> list[dict[str, Any]]:
    answer = httpx.post(gateway.url + ROUTE, json=body, timeout=60)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def joined(found: list[dict[str, Any]]) -> np.ndarray:
    return np.concatenate([np.frombuffer(base64.b64decode(line["audio"]), "<i2") for line in found])


@pytest.fixture(scope="module")
def said(service: TritonServer) -> Speech:
    """The same text through the client."""
    with Synthesizer(service.address.grpc) as synthesizer:
        return synthesizer.synthesize(TEXT)


def test_the_lines_are_what_the_client_gets(gateway: Gateway, said: Speech) -> None:
    *audio, done = lines(gateway, input=TEXT)
    assert {line["type"] for line in audio} == {"audio"}
    assert len(audio) > 1
    assert np.array_equal(joined(audio), said.samples)
    assert {line["sample_rate"] for line in audio} == {said.sample_rate}
    told = [clause for line in audio for clause in line["clauses"]]
    assert [(clause["text"], clause["start"], clause["end"]) for clause in told] == [
        (clause.text, clause.start, clause.end) for clause in said.clauses
    ]
    assert [(word["text"], word["start"], word["end"]) for clause in told for word in clause["words"]] == [
        (word.text, word.start, word.end) for word in said.words
    ]
    assert [notice["text"] for line in audio for notice in line["notices"]] == ["😀"]
    assert done["type"] == "done"
    assert done["duration"] == said.duration
    assert (done["voice"], done["quality"]) == ("demo", said.quality)
    assert 0 < done["first_audio"] <= done["elapsed"]
    assert done["srt"] == said.srt()


def test_marks_and_what_the_gateway_does_differently_are_told(gateway: Gateway) -> None:
    *audio, done = lines(
        gateway,
        input='<speak>你好<mark name="here"/>再见</speak>',
        voice="alloy",
        model="fast",
        response_format="mp3",
    )
    assert [mark["name"] for line in audio for mark in line["marks"]] == ["here"]
    assert [(notice["kind"], notice["text"]) for notice in audio[0]["notices"]] == [
        ("voice", "alloy"),
        ("ignored", "response_format"),
    ]
    assert done["quality"] == "fast"


def test_lines_come_while_the_rest_is_spoken_and_leaving_cancels_it(gateway: Gateway, service: TritonServer) -> None:
    def cancelled() -> int:
        return read_metrics(service.address.metrics).requests.get("cancelled", 0)

    before = cancelled()
    with httpx.stream("POST", gateway.url + ROUTE, json={"input": BOOK}, timeout=60) as answer:
        first = json.loads(next(answer.iter_lines()))
    assert first["type"] == "audio"
    assert first["clauses"][0]["words"][0]["text"] == "今天"
    end = time.monotonic() + PATIENCE
    while cancelled() <= before and time.monotonic() < end:
        time.sleep(0.1)
    assert cancelled() > before


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"input": ""}, 400, "input"),
        ({"input": "。"}, 400, "input"),
        ({"input": "<speak>你"}, 400, None),
        ({"input": "你", "voice": "nobody"}, 404, "voice"),
        ({"input": "你", "speed": "fast"}, 400, "speed"),
        ({}, 400, "input"),
    ],
)
def test_what_is_wrong_has_a_status_and_no_lines(
    gateway: Gateway, body: dict[str, Any], status: int, param: str | None
) -> None:
    answer = httpx.post(gateway.url + ROUTE, json=body, timeout=60)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["param"] == param


class Ending:
    """A synthesizer whose server fails in the middle of a sentence, which no real one does when asked to."""

    def __init__(self, error: SpeechError, *chunks: Chunk) -> None:
        self.error = error
        self.chunks = chunks

    async def stream(self, text: str, **options: object) -> AsyncGenerator[Chunk, None]:
        for chunk in self.chunks:
            yield chunk
        raise self.error


def ended(synthesizer: Ending) -> httpx.Response:
    """What the gateway answers in front of such a server."""
    settings = GatewaySettings()
    app = create_app(settings)
    app.state.service = Service(settings, synthesizer, synthesizer, app.state.metrics)  # type: ignore[arg-type]

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            return await http.post(ROUTE, json={"input": "你好"})

    return asyncio.run(ask())


CHUNK = Chunk(np.ones(240, np.int16), 24000, (Clause("你好", 0.0, 0.01, (Word("你好", 0.0, 0.01),)),), voice="demo")


def test_a_failure_in_the_middle_is_the_last_line() -> None:
    answer = ended(Ending(ServiceFailed("the decoder died"), CHUNK))
    audio, last = map(json.loads, answer.text.splitlines())
    assert answer.status_code == 200
    assert audio["type"] == "audio"
    assert last == {
        "type": "error",
        "error": {"message": "the decoder died", "type": "server_error", "param": None, "code": "server_failed"},
    }


def test_a_failure_before_the_first_line_has_a_status() -> None:
    answer = ended(Ending(ServiceUnavailable("no server at 127.0.0.1:1")))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["error"]["code"] == "server_unavailable"


def test_an_answer_without_any_audio_is_a_failure() -> None:
    empty = Chunk(np.zeros(0, np.int16), 0)
    answer = ended(Ending(ServiceFailed("unreached"), empty))
    assert json.loads(answer.text.splitlines()[-1])["error"]["code"] == "server_failed"
