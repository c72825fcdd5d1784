"""When memory or time is short the service gives up something, says so, and takes it back."""

from __future__ import annotations

import pytest
from own_server import Copy, eventually, front_door

from client import ServiceUnavailable

# More than any machine has: the threshold is passed by the first reading.
EVERYTHING = 10**15


@pytest.fixture
def own(repository, tmp_path):
    """Starts a server with these settings of the front door: `with own(name=value) as front`."""

    def start(**settings):
        copy = Copy(repository, tmp_path / "repository")
        copy.configure(settings)
        return front_door(copy)

    return start


@pytest.fixture(autouse=True)
def _no_retries(monkeypatch):
    """The client would hide a refusal by trying again."""
    monkeypatch.setattr("client._retry.ATTEMPTS", 1)


def told(speech):
    """Its notices about what was given up: (step, message)."""
    return [(notice.text, notice.message) for notice in speech.notices if notice.kind == "degraded"]


def test_a_queue_that_stays_slow_makes_requests_smaller_until_it_is_fast_again(own):
    with own(max_in_flight=2, queue_wait_seconds=0.2, recover_seconds=1) as front:
        assert told(front.synthesizer.synthesize("现在不忙。")) == []
        assert front.metric("tts_degradation_step") == 0
        with front.held():
            answers = [front.speak(f"忙的时候{number}。") for number in "一二三四五"]
            eventually(lambda: front.metric("tts_degradation_step") == 1, "a slow queue is noticed")
        for answer in answers:
            ((step, message),) = told(answer.result())
            assert step == "small"
            assert "requests wait" in message
        eventually(lambda: front.metric("tts_degradation_step") == 0, "the service recovers")
        assert told(front.synthesizer.synthesize("又不忙了。")) == []
        assert front.metric("tts_degradation_changes_total", step="small") == 1
        assert front.metric("tts_degradation_changes_total", step="full") == 1
        assert "full -> small: requests wait" in front.log()
        assert "small -> full: memory and queue are normal" in front.log()


def test_with_little_memory_the_fastest_vocoder_answers_and_every_response_says_so(own):
    with own(small_free_bytes=EVERYTHING, light_free_bytes=EVERYTHING) as front:
        eventually(lambda: front.metric("tts_degradation_step") == 2, "the reading is acted upon")
        speech = front.synthesizer.synthesize("内存不多了。", quality="balanced")
        (voice,) = [voice for voice in front.synthesizer.voices() if voice.name == speech.voice]
        assert speech.quality == voice.qualities[-1]
        ((step, message),) = told(speech)
        assert step == "light"
        assert "GB of host memory free" in message
        long = front.synthesizer.synthesize("第一句话。" * 12)
        assert len(told(long)) == 1, "it is told once in a request"


def test_without_memory_new_requests_are_refused_with_the_reason(own):
    with own(small_free_bytes=EVERYTHING, light_free_bytes=EVERYTHING, shed_free_bytes=EVERYTHING) as front:
        eventually(lambda: front.metric("tts_degradation_step") == 3, "the reading is acted upon")
        spoken = front.inferences("text_frontend")
        for _ in range(3):
            with pytest.raises(ServiceUnavailable, match=r"overloaded: .* GB of host memory free; retry after 10 s"):
                front.synthesizer.synthesize("没有内存了。")
        assert front.inferences("text_frontend") == spoken
        eventually(lambda: front.metric("tts_refused_total", reason="unavailable") == 3, "each refusal is counted")
