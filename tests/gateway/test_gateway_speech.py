"""What OpenAI's own client gets from the gateway."""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.request

import httpx
import numpy as np
import openai
import pytest
from gateway.audio import decoded

from client import Synthesizer

TEXT = "今天天气真好，我们去公园散步吧。"
LONG = TEXT * 8


@pytest.fixture(scope="module")
def client(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def plain(gateway):
    """For what OpenAI's client cannot send."""
    with httpx.Client(base_url=gateway.url, timeout=60) as made:
        yield made


@pytest.fixture(scope="module")
def spoken(service):
    """The same text from the server itself."""
    with Synthesizer(service.address.grpc) as synthesizer:
        return synthesizer.synthesize(TEXT, quality="balanced")


def notices(response):
    return {notice["kind"]: notice for notice in json.loads(response.headers.get("x-tts-notices", "[]"))}


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_every_format_holds_the_speech_of_the_server(client, spoken, name):
    answer = client.audio.speech.create(model="tts-1", voice="demo", input=TEXT, response_format=name)
    samples, rate = decoded(name, answer.content)
    assert len(samples) / rate == pytest.approx(spoken.duration, abs=0.12)
    if name in ("flac", "wav", "pcm"):
        np.testing.assert_allclose(samples, spoken.samples / 32768, atol=2e-4)


def test_audio_comes_before_the_rest_is_spoken(client):
    streaming = client.audio.speech.with_streaming_response
    with streaming.create(model="tts-1", voice="demo", input=LONG, response_format="pcm") as answer:
        parts = list(answer.iter_bytes())
    assert answer.headers["transfer-encoding"] == "chunked"
    assert len(parts) > 3
    assert len(parts[0]) < sum(map(len, parts)) / 3


def test_the_asynchronous_client_is_answered_several_times_at_once(gateway):
    async def speak():
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as client:
            return await asyncio.gather(
                *(client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT) for _ in range(4))
            )

    answers = asyncio.run(speak())
    assert len({answer.content for answer in answers}) == 1


def test_events_carry_the_same_file(client, plain):
    body = {"input": TEXT, "model": "tts-1", "voice": "demo", "response_format": "flac"}
    whole = client.audio.speech.create(**body).content
    with plain.stream("POST", "/v1/audio/speech", json={**body, "stream_format": "sse"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line]
    *deltas, done = events
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(event["audio"]) for event in deltas) == whole
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["total_tokens"] == len(TEXT)


@pytest.mark.parametrize("name", ["mp3", "wav", "flac"])
def test_a_file_that_is_not_streamed_tells_its_length(plain, name, spoken):
    answer = plain.post("/v1/audio/speech", json={"input": TEXT, "response_format": name, "stream": False})
    assert int(answer.headers["content-length"]) == len(answer.content)
    samples, rate = decoded(name, answer.content)
    assert len(samples) / rate == pytest.approx(spoken.duration, abs=0.003)


def test_instructions_and_speed_change_the_speech(client, spoken):
    answer = client.audio.speech.create(
        model="gpt-4o-mini-tts", voice="demo", input=TEXT, instructions="温柔", speed=1.5, response_format="wav"
    )
    samples, rate = decoded("wav", answer.content)
    assert len(samples) / rate < spoken.duration / 1.2


def test_names_and_speeds_that_only_openai_has_are_taken_and_told(client):
    answer = client.audio.speech.with_raw_response.create(
        model="tts-1", voice="alloy", input=TEXT, speed=4.0, response_format="pcm"
    )
    assert set(notices(answer)) >= {"voice", "clamped"}
    assert answer.headers["x-tts-voice"] == "demo"
    assert answer.headers["x-sample-rate"] == "24000"


def test_a_voice_may_be_an_object_with_an_id(plain):
    assert plain.post("/v1/audio/speech", json={"input": "好", "voice": {"id": "demo"}}).status_code == 200


def test_fields_that_are_unknown_are_told_and_ignored(plain):
    answer = plain.post("/v1/audio/speech", json={"input": "好", "user": "somebody"})
    assert answer.status_code == 200
    assert notices(answer)["ignored"]["text"] == "user"


def test_model_and_quality_say_the_same(plain):
    asked = {"tts-1": "balanced", "fast": "fast", "gpt-4o-mini-tts-2025-12-15": "balanced"}
    for model, quality in asked.items():
        answer = plain.post("/v1/audio/speech", json={"input": "好", "model": model})
        assert answer.headers["x-tts-quality"] == quality


def test_a_voice_or_model_that_is_not_there_is_not_found(client):
    with pytest.raises(openai.NotFoundError, match="voices here: demo") as caught:
        client.audio.speech.create(model="tts-1", voice="nobody", input=TEXT)
    assert (caught.value.param, caught.value.code) == ("voice", "voice_not_found")
    with pytest.raises(openai.NotFoundError, match="use one of tts-1"):
        client.audio.speech.create(model="tts-9", voice="demo", input=TEXT)


def test_a_text_without_anything_to_say_is_a_bad_request(client):
    with pytest.raises(openai.BadRequestError, match="nothing to say") as caught:
        client.audio.speech.create(model="tts-1", voice="demo", input="……")
    assert caught.value.param == "input"


def test_markup_is_read_and_html_is_only_text(plain):
    paused = plain.post("/v1/audio/speech", json={"input": "<speak>好<break time='1s'/>的</speak>", "stream": False})
    said = plain.post("/v1/audio/speech", json={"input": "<script>alert(1)</script>好", "stream": False})
    assert paused.status_code == 200
    assert said.status_code in (200, 400)
    assert b"<script>" not in said.content


def test_models_are_listed_as_openai_lists_them(client):
    assert {model.id for model in client.models.list()} >= {"tts-1", "tts-1-hd", "gpt-4o-mini-tts", "fast"}


def test_voices_and_styles_are_those_of_the_server(plain, service):
    with Synthesizer(service.address.grpc) as synthesizer:
        voices, styles = synthesizer.voices(), synthesizer.styles()
    found = plain.get("/v1/audio/voices").json()["voices"]
    assert [(voice["name"], voice["state"]) for voice in found] == [(voice.name, voice.state) for voice in voices]
    demo = next(voice for voice in found if voice["name"] == "demo")
    assert demo["sample_rate"] == 24000
    assert demo["limits"]["speed"] == list(next(v for v in voices if v.name == "demo").limits["speed"])
    assert plain.get("/v1/audio/styles").json()["styles"] == [vars(style) for style in styles]


def test_the_page_of_the_api_loads_nothing_from_elsewhere(gateway):
    with urllib.request.urlopen(f"{gateway.url}/docs") as page:
        text = page.read().decode()
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "/v1/audio/speech" in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
