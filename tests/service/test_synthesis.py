"""Text in, Mandarin speech out, through the real server."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import numpy as np
import pytest
from bench.measure import CLOSED_LOOP as EIGHT
from bench.measure import STAGES
from own_server import Copy
from triton_calls import Triton
from tritonclient.utils import InferenceServerException

from client import Synthesizer
from server import ServerOptions, TritonServer

SENTENCE = "今天天气真好，我们去公园散步吧。"


def level(audio):
    return 20 * math.log10(np.sqrt(np.mean((audio / 32768.0) ** 2)))


def test_the_ensemble_speaks(triton):
    answer = triton.demo(TEXT=SENTENCE)
    assert answer.rate == 24000
    assert answer.audio.dtype == np.int16
    assert 2.5 < answer.audio.size / answer.rate < 5
    assert -30 < level(answer.audio) < -15
    assert answer.events["voice"] == "demo"


def test_the_router_speaks_the_same_samples_as_the_ensemble(triton, synthesizer):
    speech = synthesizer.synthesize(SENTENCE)
    difference = np.abs(speech.samples.astype(int) - triton.demo(TEXT=SENTENCE).audio)
    assert difference.max() <= 33, "1e-3 of full scale"


def test_the_same_request_gives_the_same_samples(triton):
    first, second = triton.demo(TEXT=SENTENCE), triton.demo(TEXT=SENTENCE)
    assert (first.audio == second.audio).all()


def alone_and_together(speak, eight):
    """What each text sounds like alone, and in three rounds of all at once: who meets in a queue is chance."""
    alone = [speak(text) for text in EIGHT]
    for _ in range(3):
        for one, other in zip(alone, eight.map(speak, EIGHT), strict=True):
            assert one.shape == other.shape
            assert np.abs(one.astype(int) - other.astype(int)).max() <= 33, "1e-3 of full scale"


def test_concurrent_requests_sound_as_they_do_alone(triton, synthesizer, eight):
    alone_and_together(lambda text: triton.demo(TEXT=text).audio, eight)
    alone_and_together(lambda text: synthesizer.synthesize(text).samples, eight)


@pytest.fixture(scope="module")
def batching(service, tmp_path_factory) -> Iterator[Triton]:
    """A server with a profile that has requests share runs of a stage; in float32, so that nothing but that differs."""
    copy = Copy(service.options.repository, tmp_path_factory.mktemp("batching") / "models")
    copy.serve_float32()
    with TritonServer(ServerOptions(copy.folder, profile="l4")) as server:
        made = Triton(server.address.grpc)
        yield made
        made.client.close()


@pytest.mark.parametrize("through", ["ensemble", "router"])
def test_requests_that_share_batches_sound_as_they_do_alone(batching, eight, through):
    def speak(text):
        return batching.demo(TEXT=text).audio if through == "ensemble" else synthesizer.synthesize(text).samples

    before = {stage: batching.counts(stage) for stage in STAGES}
    with Synthesizer(batching.address) as synthesizer:
        alone_and_together(speak, eight)
    after = {stage: batching.counts(stage) for stage in STAGES}
    inferences = {stage: after[stage][0] - before[stage][0] for stage in STAGES}
    executions = {stage: after[stage][1] - before[stage][1] for stage in STAGES}
    assert inferences["demo_encoder"] == inferences["demo_decoder"] == 4 * len(EIGHT)
    assert executions["demo_melgan"] < inferences["demo_melgan"], executions
    assert sum(executions.values()) < sum(inferences.values()), executions


def test_a_text_of_several_clauses_is_one_batch(triton):
    before = {stage: triton.counts(stage) for stage in STAGES}
    answer = triton.demo(TEXT="你好。今天天气真好！我们去公园散步吧？")
    after = {stage: triton.counts(stage) for stage in STAGES}
    assert [clause["text"] for clause in answer.events["clauses"]] == ["你好。", "今天天气真好！", "我们去公园散步吧？"]
    for stage in STAGES:
        assert [b - a for a, b in zip(before[stage], after[stage], strict=True)] == [3, 1]


def test_word_times_are_ordered_inside_the_audio_and_cover_it(triton):
    answer = triton.demo(TEXT="你好。今天天气真好，我们去公园散步吧。")
    words = [word for clause in answer.events["clauses"] for word in clause["words"]]
    assert "".join(word["text"] for word in words) == "你好今天天气真好我们去公园散步吧"
    edges = [time for word in words for time in (word["start"], word["end"])]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= answer.audio.size / answer.rate
    spoken = sum(word["end"] - word["start"] for word in words)
    assert spoken > 0.6 * answer.audio.size / answer.rate
    for word in words:
        assert word["phones"][0]["start"] == word["start"]
        assert word["phones"][-1]["end"] == word["end"]


def test_a_word_is_loud_while_its_time_says_it_is_spoken(triton):
    answer = triton.demo(TEXT="今天天气真好，我们去公园散步吧。")
    mask = np.zeros(answer.audio.size, dtype=bool)
    for word in answer.events["clauses"][0]["words"]:
        mask[int(word["start"] * answer.rate) : int(word["end"] * answer.rate)] = True
    loud, quiet = level(answer.audio[mask]), level(answer.audio[~mask])
    assert loud > quiet + 12


def test_a_long_text_streams_clause_by_clause_with_times_that_go_on(synthesizer):
    text = "今天天气真好，我们去公园散步吧。" * 40
    seen = []
    speech = synthesizer.synthesize(text, on_progress=seen.append)
    assert len(speech.clauses) == 40
    assert len(seen) > 40, "the first clause comes in chunks"
    assert [item.done for item in seen] == sorted(item.done for item in seen)
    starts = [word.start for word in speech.words]
    assert starts == sorted(starts)
    assert starts[-1] > 0.9 * speech.duration
    assert speech.duration == pytest.approx(40 * 3.5, rel=0.2)


def test_what_cannot_be_said_is_reported(synthesizer):
    speech = synthesizer.synthesize("今天很好😀，用 Python 写的。")
    kinds = {notice.kind for notice in speech.notices}
    assert kinds == {"skipped", "lexicon"}
    assert any("😀" in notice.text for notice in speech.notices)


def test_a_paragraph_in_another_script_is_reported_wherever_it_stands(synthesizer):
    for text in ("Привет, как дела?\n你好。", "你好。再见。\n" + "Привет, как дела? " * 20):
        speech = synthesizer.synthesize(text, pitch=6)
        kinds = [notice.kind for notice in speech.notices]
        assert "skipped" in kinds
        assert kinds.count("clamped") == 1


def test_a_missing_quality_is_answered_and_reported(synthesizer):
    speech = synthesizer.synthesize(SENTENCE, quality="high")
    assert speech.quality == "balanced"
    assert [notice.kind for notice in speech.notices] == ["quality"]


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 1.75])
def test_speed_changes_the_duration_as_asked(triton, speed):
    text = "今天天气真好，我们去公园散步吧。明天也一样。"
    natural, changed = triton.demo(TEXT=text), triton.demo(TEXT=text, SPEED=speed)
    assert changed.audio.size * speed / natural.audio.size == pytest.approx(1.0, abs=0.03)
    assert not changed.events["notices"]


@pytest.mark.parametrize("energy", [-6.0, -3.0, 3.0, 6.0])
def test_energy_changes_the_level_as_asked(triton, energy):
    natural, changed = triton.demo(TEXT=SENTENCE), triton.demo(TEXT=SENTENCE, ENERGY=energy)
    assert level(changed.audio) - level(natural.audio) == pytest.approx(energy, abs=1.5)
    assert np.abs(changed.audio.astype(int)).max() < 32767, "nothing is clipped"


@pytest.mark.parametrize(("control", "asked", "side"), [("pitch", 6.0, 1), ("pitch", -6.0, 0), ("speed", 2.0, 1)])
def test_a_control_is_clamped_to_what_the_voice_can_do_and_reported(triton, control, asked, side):
    answer = triton.demo(TEXT=SENTENCE, **{control.upper(): asked})
    (notice,) = answer.events["notices"]
    assert notice["kind"] == "clamped"
    assert notice["text"] == f"{control} {asked:g}"
    config = triton.client.get_model_config("demo", as_json=True)["config"]
    limit = json.loads(config["parameters"]["limits"]["string_value"])[control][side]
    assert (answer.audio == triton.demo(TEXT=SENTENCE, **{control.upper(): limit}).audio).all()


BAD = [
    ({"TEXT": ""}, "give"),
    ({"TEXT": " \n\t"}, "give"),
    ({"TEXT": "，。！？"}, "nothing to say"),
    ({"TEXT": "😀😀"}, "nothing to say"),
    ({"TEXT": "\x00\x07\x1b"}, "nothing to say"),
    ({"TEXT": b"\xe4\xbd\xa0\xff"}, "UTF-8"),
    ({"TEXT": "你" * 100_000}, "60000"),
    ({"TEXT": "你好", "SPEED": 0.0}, "speed must be between"),
    ({"TEXT": "你好", "SPEED": math.nan}, "speed must be between"),
    ({"TEXT": "你好", "PITCH": math.inf}, "pitch must be between"),
    ({"TEXT": "你好", "ENERGY": -99.0}, "energy must be between"),
    ({"TEXT": "你好", "EMOTION": "happy"}, "emotion 'happy'"),
    ({"TEXT": "你好", "SPEAKER": "F7"}, "speaker 'F7'"),
]


@pytest.mark.parametrize(("inputs", "message"), BAD, ids=[repr(list(case[0].values()))[:30] for case in BAD])
def test_a_wrong_request_is_an_invalid_argument_with_one_sentence(triton, inputs, message):
    with pytest.raises(InferenceServerException) as caught:
        triton.demo(**inputs)
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert message in caught.value.message()
    assert "\n" not in caught.value.message().strip()
    assert triton.demo(TEXT="你好").audio.size, "the server goes on serving"


@pytest.mark.parametrize("voice", ["nobody", "../demo", "", "tts", "x" * 500])
def test_an_unknown_voice_is_not_found_and_the_known_ones_are_listed(triton, voice):
    if voice == "":
        assert triton.demo(TEXT="你好", VOICE=voice).events["voice"] == "demo", "no name means the default voice"
        return
    with pytest.raises(InferenceServerException) as caught:
        triton.demo(TEXT="你好", VOICE=voice)
    assert caught.value.status() == "StatusCode.NOT_FOUND"
    assert "voices here: demo" in caught.value.message()


def test_more_clauses_than_a_batch_holds_are_sent_to_the_router(triton):
    with pytest.raises(InferenceServerException, match="send it to the model `tts`"):
        triton.demo(TEXT="今天天气真好。" * 9)
