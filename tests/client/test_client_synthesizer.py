"""The clients' own behaviour, both of them, with a transport that follows a script."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from client_fakes import DEMO, AsyncFakeTransport, Call, FakeTransport, speech_chunk

import client
from client import (
    AsyncSynthesizer,
    Chunk,
    ConnectTimeout,
    DeadlineExceeded,
    Health,
    InvalidRequest,
    ModelState,
    ProtocolError,
    ServiceFailed,
    ServiceUnavailable,
    Speech,
    Synthesizer,
    Voice,
    VoiceNotFound,
)
from client._retry import ATTEMPTS


def _sync(fake: FakeTransport, method: str, *arguments: Any, **options: Any) -> Any:
    with Synthesizer(transport=fake) as synthesizer:
        return getattr(synthesizer, method)(*arguments, **options)


def _async(fake: FakeTransport, method: str, *arguments: Any, **options: Any) -> Any:
    async def run() -> Any:
        async with AsyncSynthesizer(transport=AsyncFakeTransport(fake)) as synthesizer:
            return await getattr(synthesizer, method)(*arguments, **options)

    return asyncio.run(run())


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Calls a method of a client, which is closed after it."""
    return request.param  # type: ignore[no-any-return]


BUSY = ServiceUnavailable("busy")


def test_a_text_becomes_a_speech_and_the_connection_is_closed(call: Call) -> None:
    fake = FakeTransport([speech_chunk(), speech_chunk(0.5, start=1.0, text="好。")])
    speech: Speech = call(fake, "synthesize", "今天，好。", voice="demo", quality="快速", speed=1.5)
    assert speech.duration == 1.5
    assert speech.voice == "demo"
    request = fake.requests[0]
    assert (request.text, request.voice, request.quality, request.speed) == (
        "今天，好。",
        "demo",
        "fast",
        1.5,
    )
    assert fake.closed


def test_a_wrong_request_is_never_sent(call: Call) -> None:
    fake = FakeTransport()
    with pytest.raises(InvalidRequest):
        call(fake, "synthesize", "")
    with pytest.raises(InvalidRequest):
        call(fake, "synthesize", "好", timeout=0)
    assert not fake.requests


def test_a_busy_server_is_asked_again(call: Call) -> None:
    fake = FakeTransport([BUSY], [BUSY], [speech_chunk()])
    assert call(fake, "synthesize", "好").duration == 1.0
    assert len(fake.requests) == 3


def test_a_server_that_stays_busy_is_given_up(call: Call) -> None:
    fake = FakeTransport([BUSY])
    with pytest.raises(ServiceUnavailable, match="busy"):
        call(fake, "synthesize", "好")
    assert len(fake.requests) == ATTEMPTS


@pytest.mark.parametrize(
    "error",
    [InvalidRequest("x"), VoiceNotFound("x"), ServiceFailed("x"), ProtocolError("x"), ConnectTimeout("x")],
)
def test_what_another_try_cannot_help_is_not_tried_again(call: Call, error: Exception) -> None:
    fake = FakeTransport([error], [speech_chunk()])
    with pytest.raises(type(error)):
        call(fake, "synthesize", "好")
    assert len(fake.requests) == 1


def test_no_retry_waits_past_the_deadline(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client._retry.FIRST_PAUSE", 100.0)
    fake = FakeTransport([BUSY])
    with pytest.raises(ServiceUnavailable):
        call(fake, "synthesize", "好", timeout=5)
    assert len(fake.requests) == 1


def test_a_failing_progress_callback_ends_the_request(call: Call) -> None:
    def fail(progress: object) -> None:
        raise RuntimeError("mine")

    fake = FakeTransport([speech_chunk(), speech_chunk(start=1.0)])
    with pytest.raises(RuntimeError, match="mine"):
        call(fake, "synthesize", "好", on_progress=fail)
    assert fake.open_streams == 0


def test_an_interrupt_ends_the_request() -> None:
    fake = FakeTransport([speech_chunk(), KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        _sync(fake, "synthesize", "好")
    assert fake.open_streams == 0
    assert fake.closed


def test_voices_tell_what_their_configs_tell(call: Call) -> None:
    found: list[Voice] = call(FakeTransport(), "voices")
    limits = {"speed": (0.5, 2.0), "pitch": (-4.0, 4.0), "energy": (-6.0, 6.0)}
    expected = Voice(
        "demo", "ready", "", "fastspeech2", 24000, ("zh",), (), ("happy", "sad"), ("balanced", "fast"), limits
    )
    assert found == [expected]


def test_a_voice_that_is_not_loaded_is_listed_by_name(call: Call) -> None:
    fake = FakeTransport()
    names = ("ghost", "ghost_encoder", "demo", "demo_melgan", "aligner")
    fake.index = [ModelState(name, "READY" if name == "demo" else "") for name in names]
    assert [(voice.name, voice.ready) for voice in call(fake, "voices")] == [("demo", True), ("ghost", False)]


def test_a_voice_that_vanishes_while_asked_is_left_out(call: Call) -> None:
    fake = FakeTransport()
    fake.index = [ModelState("gone", "READY"), ModelState("demo", "READY")]
    assert [voice.name for voice in call(fake, "voices")] == ["demo"]


@pytest.mark.parametrize("wrong", [{"sample_rate": "x"}, {"limits": "[1]"}, {"speakers": "[1"}, {"limits": "{"}])
def test_a_voice_whose_config_makes_no_sense_is_an_error_with_its_name(call: Call, wrong: dict[str, str]) -> None:
    with pytest.raises(ProtocolError, match="voice 'demo' cannot be read: export it again"):
        call(FakeTransport(models={"demo": {**DEMO, **wrong}}), "voices")


def test_several_languages_are_a_json_list(call: Call) -> None:
    fake = FakeTransport(models={"demo": {**DEMO, "language": '["zh", "en"]'}})
    assert call(fake, "voices")[0].languages == ("zh", "en")


def test_listing_voices_is_tried_again(call: Call) -> None:
    fake = FakeTransport()
    fake.failures = [BUSY, BUSY]
    assert len(call(fake, "voices")) == 1


def test_a_service_that_speaks_is_healthy(call: Call) -> None:
    fake = FakeTransport()
    health: Health = call(fake, "health")
    assert health.healthy
    assert health.version == "triton 2.51.0"
    assert [(voice.voice, voice.healthy, voice.audio) for voice in health.voices] == [("demo", True, 1.0)]
    assert fake.requests[0].voice == "demo"


SILENCE = Chunk(np.zeros(24000, dtype=np.int16), 24000, voice="demo")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ([speech_chunk(0.1)], "spoke for 0.10 s"),
        ([speech_chunk(11.0)], "spoke for 11.00 s"),
        ([SILENCE], "was silent"),
        ([ServiceFailed("broken")], "broken"),
        ([], "without audio"),
    ],
)
def test_a_voice_that_does_not_speak_well_is_ill(call: Call, script: list[Any], message: str) -> None:
    health: Health = call(FakeTransport(script), "health")
    assert not health.healthy
    assert message in health.message
    assert "demo" in health.message


def test_a_voice_that_another_answers_for_is_ill(call: Call) -> None:
    health: Health = call(FakeTransport(models={"other": DEMO}), "health")
    assert not health.healthy
    assert "answered by voice demo" in health.message


def test_one_ill_voice_makes_the_service_ill(call: Call) -> None:
    fake = FakeTransport([speech_chunk()], [ServiceFailed("broken")], models={"demo": DEMO, "extra": DEMO})
    health: Health = call(fake, "health")
    assert [voice.healthy for voice in health.voices] == [True, False]
    assert not health.healthy


def test_a_service_without_voices_or_without_an_answer_is_ill(call: Call) -> None:
    assert not call(FakeTransport(models={}), "health").healthy
    fake = FakeTransport()
    fake.failures = [DeadlineExceeded("late")]
    assert call(fake, "health").message == "late"


def test_both_clients_take_the_same_arguments() -> None:
    for method in ("synthesize", "stream", "voices", "styles", "load", "unload", "health"):
        one, other = getattr(Synthesizer, method), getattr(AsyncSynthesizer, method)
        assert inspect.signature(one).parameters == inspect.signature(other).parameters


def test_importing_the_package_loads_neither_grpc_nor_the_audio_library() -> None:
    code = "import client, client.cli, sys; print([m for m in ('grpc', 'soundfile') if m in sys.modules])"
    root = Path(client.__file__).parents[1]
    done = subprocess.run([sys.executable, "-B", "-c", code], cwd=root, capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_every_public_name_is_there() -> None:
    assert all(hasattr(client, name) for name in client.__all__)
