"""Voices are loaded when they are first asked for, once, and unloaded when nobody uses them."""

from __future__ import annotations

import signal

import psutil
import pytest
from own_server import Copy, eventually, front_door

from client import ServiceUnavailable

SHARED = ("tts", "text_frontend", "aligner", "postprocess", "demo")
STAGES = ("encoder", "decoder", "melgan")


@pytest.fixture(scope="module")
def front(repository, tmp_path_factory):
    """A server with the demo voice under four names, which starts with one of them and keeps two idle ones at most."""
    copy = Copy(repository, tmp_path_factory.mktemp("voices"))
    for name in ("anna", "bert", "emil"):
        copy.add_voice(name)
    copy.damage("emil_decoder")
    copy.configure({"max_in_flight": 40, "max_loaded_voices": 2, "idle_unload_seconds": 0, "queue_wait_seconds": 0})
    with front_door(copy, control="explicit", load=SHARED) as running:
        yield running


def loads(front, voice):
    """How often each model of a voice was loaded, by the server's own log."""
    models = (voice, *(f"{voice}_{stage}" for stage in STAGES))
    return [front.log().count(f"successfully loaded '{model}'") for model in models]


def speak(front, voice, text):
    speech = front.synthesizer.synthesize(text, voice=voice)
    assert speech.samples.size
    assert speech.voice == voice


def test_thirty_two_first_requests_load_a_voice_once(front):
    assert not front.ready("anna")
    answers = [front.speak(f"第{number}句。", voice="anna") for number in range(32)]
    assert all(answer.result().samples.size for answer in answers)
    assert loads(front, "anna") == [1, 1, 1, 1]
    eventually(lambda: front.metric("tts_voice_loads_total", voice="anna") == 1, "the load is counted")


def test_a_voice_that_is_loaded_is_not_loaded_again(front):
    speak(front, "anna", "第一次。")
    before = loads(front, "anna")
    speak(front, "anna", "第二次。")
    assert loads(front, "anna") == before


def test_past_the_bound_the_least_recently_used_voice_goes_and_comes_back_when_asked_for(front):
    for voice in ("demo", "anna"):
        speak(front, voice, f"你好，{voice}。")
    before = front.metric("tts_voice_unloads_total", voice="anna", reason="count")
    speak(front, "demo", "还是我。")
    speak(front, "bert", "轮到我了。")
    eventually(
        lambda: front.metric("tts_voice_unloads_total", voice="anna", reason="count") == before + 1, "one has to go"
    )
    assert [front.ready(voice) for voice in ("demo", "anna", "bert")] == [True, False, True]
    assert not any(front.ready(f"anna_{stage}") for stage in STAGES)
    speak(front, "anna", "我回来了。")


def test_a_voice_in_use_stays_however_long_ago_it_was_asked_for(front):
    speak(front, "anna", "先说一句。")
    before = front.inferences("anna_encoder")
    with front.held():
        answer = front.speak("说得很慢。", voice="anna")
        eventually(lambda: front.inferences("anna_encoder") > before, "it is in use")
        unloads = front.metric("tts_voice_unloads_total", voice="anna", reason="count")
        # Loaded past the bound, while no request can get on: those that are not in use have to go.
        others = [front.speak(f"我是{voice}。", voice=voice) for voice in ("demo", "bert")]
        eventually(lambda: all(front.ready(voice) for voice in ("demo", "bert")), "the others are loaded")
        assert front.ready("anna")
        assert front.metric("tts_voice_unloads_total", voice="anna", reason="count") == unloads
    assert all(each.result().samples.size for each in (answer, *others))


def test_a_voice_that_cannot_be_loaded_is_tried_once_and_says_why(front, monkeypatch):
    monkeypatch.setattr("client._retry.ATTEMPTS", 1)
    answers = [front.speak("你好。", voice="emil") for _ in range(8)]
    for answer in answers:
        with pytest.raises(ServiceUnavailable, match="voice 'emil' cannot be loaded: "):
            answer.result()
    assert front.log().count("loading: emil_decoder:1") == 1
    assert front.metric("tts_voice_loads_total", voice="emil") == 0
    speak(front, "anna", "我没事。")


def test_an_idle_voice_is_unloaded_after_its_time(repository, tmp_path):
    copy = Copy(repository, tmp_path / "repository")
    copy.configure({"idle_unload_seconds": 2})
    with front_door(copy, control="explicit", load=SHARED) as front:
        speak(front, "demo", "等我走。")
        eventually(lambda: front.metric("tts_voice_unloads_total", voice="demo", reason="idle") == 1, "it is idle")
        eventually(lambda: not any(front.ready(f"demo_{stage}") for stage in STAGES), "all of it is unloaded")
        speak(front, "demo", "我又来了。")
        assert loads(front, "demo") == [2, 2, 2, 2]


def test_a_stage_whose_process_died_is_brought_back_once_for_all_who_meet_it(front):
    speak(front, "anna", "还活着。")
    eventually(lambda: front.metric("tts_in_flight") == 0, "nobody speaks")
    (stub,) = [
        child
        for child in psutil.Process(front.server.pid).children(recursive=True)
        if any("anna_encoder" in argument for argument in child.cmdline())
    ]
    stub.send_signal(signal.SIGKILL)
    answers = [front.speak(f"第{number}次。", voice="anna") for number in range(8)]
    assert all(answer.result().samples.size for answer in answers)
    eventually(lambda: front.metric("tts_revivals_total", model="anna_encoder") == 1, "the revival is counted")


def test_a_dialogue_of_two_voices_is_one_stream(front):
    text = '<speak><voice name="anna">你好吗？</voice><voice name="bert">我很好，谢谢。</voice></speak>'
    chunks = list(front.synthesizer.stream(text))
    spoken = {clause.text: chunk.voice for chunk in chunks for clause in chunk.clauses}
    assert spoken == {"你好吗？": "anna", "我很好，谢谢。": "bert"}
    assert len({chunk.sample_rate for chunk in chunks}) == 1
