"""A designed voice from checkpoints in their publishers' layouts, exported by the commands and served by a real Triton.

Its models are small and were never trained: what it says is no speech, but as long as a text is, and everything around
the sound is as it is for a real one.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import onnx
import psutil
import pytest
import soundfile
import tritonclient.grpc as grpcclient
from google.protobuf import text_format
from onnx import numpy_helper
from own_server import Copy, eventually, front_door
from small_vocoders import write_hifigan, write_melgan
from tritonclient.grpc import model_config_pb2 as pb
from tritonclient.utils import InferenceServerException

from client import Connection, InvalidRequest, ServiceFailed
from server import stubs
from server.gateway.app import create_app
from server.gateway.settings import GatewaySettings

VOICE = "lily"
SHARED = ("tts", "text_frontend", "aligner", "postprocess")
PARTS = ("style", "llasa", "xcodec2", "speech_tokenizer", "campplus", "lm", "flow", "hift")
TEXT = "今天天气真好，我们去公园散步吧。"
LONG = "从前有一座山，山上有一座庙，庙里有一个老和尚在讲故事，讲的是从前有一座山，山上有一座庙。"
# As long as one piece may be.
SENTENCE = f"{LONG[:-1]}，讲的是从前有一座山，山上有一座庙，庙里有一个老和尚。"
STYLE = "年轻的女性，声音清亮，语速稍快"
# Of those that there are; each of them is designed, which takes this voice a second.
PRESETS = 2
# Of 32767, see test_streaming.py.
ROUNDING = 8


@pytest.fixture(scope="module")
def front(repository, sculptor, tmp_path_factory):
    """A server that loads on demand `lily`, and voices with a language model that is out of order.

    Of `mute` the one that speaks stops at once, of `endless` it never does; of `silent` LLaSA does so.
    """
    copy = Copy(repository, tmp_path_factory.mktemp("sculptor") / "repository")
    for model in sculptor.repository.glob(f"{VOICE}*"):
        shutil.copytree(model, copy.folder / model.name)
    for name, model, end in (("mute", "lm", 1e4), ("endless", "lm", -1e4), ("silent", "llasa", 1e4)):
        copy.add_voice(name, VOICE)
        set_end(copy.folder / f"{name}_{model}" / "1" / "model.onnx", end)
    for write, layout, quality in ((write_hifigan, "hifigan", "balanced"), (write_melgan, "parallelwavegan", "fast")):
        checkpoint = copy.folder.with_name(layout)
        write(checkpoint)
        chosen = ("--for", VOICE, "--quality", quality, "--repository", str(copy.folder), "--precision", "fp32")
        command = ("vocoder", layout, "--checkpoint", str(checkpoint), *chosen)
        subprocess.run([sys.executable, "-m", "export", *command], capture_output=True, check=True)
    copy.configure({"idle_unload_seconds": 0, "queue_wait_seconds": 0})
    keep_presets(copy.folder / "tts" / "config.pbtxt", PRESETS)
    with front_door(copy, control="explicit", load=SHARED) as running:
        yield running


def keep_presets(path, count):
    """Leave the front door fewer presets."""
    config = text_format.Parse(path.read_text("utf-8"), pb.ModelConfig())
    presets = config.parameters["presets"]
    presets.string_value = json.dumps(json.loads(presets.string_value)[:count])
    path.write_text(text_format.MessageToString(config, as_utf8=True), "utf-8")


def set_end(path, value):
    """Have a language model find its end likely, or unlikely, wherever it is."""
    model = onnx.load(path)
    head = {tensor.name: tensor for tensor in model.graph.initializer if tensor.name.startswith("head.")}
    # LLaSA's head has no bias: what its first channel is, which is the same for all inputs, is one.
    name, place = ("head.bias", slice(6561, None)) if "head.bias" in head else ("head.weight", (-1, 0))
    values = numpy_helper.to_array(head[name]).copy()
    values[place] = value
    head[name].CopyFrom(numpy_helper.from_array(values, name))
    path.unlink()  # it is the other voice's, too
    onnx.save(model, path)


@dataclass
class Counts:
    """What the server has counted of a voice."""

    front: object
    voice: str = VOICE

    def runs(self, role):
        """Inferences that a model has begun and ended well, those from the cache left out."""
        (statistics,) = self.front.client.get_inference_statistics(f"{self.voice}_{role}").model_stats
        return int(statistics.execution_count)

    def ended(self, role):
        """Requests of a model that have ended well."""
        (statistics,) = self.front.client.get_inference_statistics(f"{self.voice}_{role}").model_stats
        return int(statistics.inference_stats.success.count)

    def cached(self):
        """Hits and misses of the designs."""
        model = f"{self.voice}_style"
        return tuple(
            int(self.front.metric(f"nv_cache_num_{what}_per_model", model=model, version="1"))
            for what in ("hits", "misses")
        )


@pytest.fixture
def counts(front):
    """Of the voice, whose presets are designed already."""
    front.synthesizer.load(VOICE)
    speak(front)
    made = Counts(front)
    eventually(lambda: front.metric("tts_in_flight") == 0 and sum(made.cached()) >= 1 + PRESETS, "nothing is designed")
    return made


def speak(front, text=TEXT, **options):
    return front.synthesizer.synthesize(text, **{"voice": VOICE, "style": STYLE, "quality": "high"} | options)


def written(front, what, voice=VOICE):
    """`codes` that a language model has drawn, `steps` in which it did so for all requests, `prompts` that it read.

    It tells them when it is asked for something, whatever that is.
    """
    key = grpcclient.InferInput("key", [1], "BYTES")
    key.set_data_from_numpy(np.array([b"nobody"], dtype=np.object_))
    with pytest.raises(InferenceServerException, match="no generation has this key"):
        front.client.infer(f"{voice}_lm", [key])
    return front.metric(f"tts_language_model_{what}_total", model=f"{voice}_lm")


def unlike(one, other):
    return one.samples.shape != other.samples.shape or not np.array_equal(one.samples, other.samples)


def test_the_voice_tells_what_it_can_be_told(front):
    front.synthesizer.load(VOICE)
    lily = {voice.name: voice for voice in front.synthesizer.voices()}[VOICE]
    assert (lily.family, lily.sample_rate, lily.qualities) == ("sculptor", 24000, ("high", "balanced", "fast"))
    assert lily.emotions[:3] == ("neutral", "happy", "angry")
    assert list(lily.attributes)[:2] == ["gender", "age"]
    assert lily.attributes["gender"] == ("男性", "女性")
    assert lily.limits["pitch"] == (0.0, 0.0)


def test_an_instruction_is_designed_once_and_then_answered_from_the_cache(front, counts):
    style = "慈祥的老奶奶，语速很慢，声音轻"
    hits, misses = counts.cached()
    first = speak(front, style=style)
    assert counts.cached() == (hits, misses + 1)
    designed = [counts.runs(role) for role in PARTS[:5]]
    again = speak(front, style=style)
    assert counts.cached() == (hits + 1, misses + 1)
    assert [counts.runs(role) for role in PARTS[:5]] == designed, "it was designed again"
    assert first.sample_rate == 24000
    assert np.abs(first.samples).max() > 100
    np.testing.assert_array_equal(first.samples, again.samples)


def test_another_seed_or_attribute_or_emotion_or_instruction_is_another_voice(front):
    plain = speak(front)
    others = [
        speak(front, seed=7),
        speak(front, attributes={"gender": "女性"}),
        speak(front, attributes={"gender": "男性"}),
        speak(front, emotion="happy"),
        speak(front, style="低沉的男声"),
        speak(front, style=None),
    ]
    voices = [plain, *others]
    assert all(unlike(a, b) for i, a in enumerate(voices) for b in voices[:i])


def test_an_emotion_is_the_attribute_of_its_tag(front):
    assert not unlike(speak(front, emotion="sad"), speak(front, attributes={"emotion": "难过"}))


def test_a_preset_is_its_instruction_and_was_designed_before_it_was_asked_for(front, counts):
    preset = front.synthesizer.styles()[0]
    hits, misses = counts.cached()
    assert not unlike(speak(front, style=preset.name), speak(front, style=preset.instruction))
    assert counts.cached() == (hits + 2, misses)


@contextmanager
def as_slow_as_a_large_one(front, model):
    """This model's process has the processor for a tenth of the time: a real language model is not faster."""
    (process,) = (stub for stub in stubs.living(front.server.pid).values() if stub.model == model)
    over = threading.Event()

    def hold_up():
        while not over.wait(0.002):
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(0.018)
            os.kill(process.pid, signal.SIGCONT)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold_up)
        try:
            yield
        finally:
            over.set()


def test_audio_comes_while_the_language_model_is_still_writing(front, counts):
    speak(front)  # designed before
    codes, pieces = written(front, "codes"), written(front, "prompts")
    with as_slow_as_a_large_one(front, f"{VOICE}_lm"):
        stream = front.synthesizer.stream(SENTENCE, voice=VOICE, style=STYLE, quality="high")
        chunks = [next(stream)]
        there = written(front, "codes") - codes
        chunks += stream
    assert written(front, "prompts") - pieces == 1
    assert there < 0.9 * (written(front, "codes") - codes), "the language model had ended before there was audio"
    streamed = np.concatenate([chunk.samples for chunk in chunks])
    whole = speak(front, SENTENCE).samples
    assert len(chunks) > 2
    assert streamed.shape == whole.shape
    assert np.abs(streamed.astype(int) - whole).max() <= ROUNDING


def test_requests_share_the_steps_of_the_language_model(front, counts):
    alone = speak(front, LONG)
    before = written(front, "steps")
    speak(front, LONG)
    of_one = written(front, "steps") - before
    with ThreadPoolExecutor(4) as pool:
        together = [answer.result() for answer in [pool.submit(speak, front, LONG) for _ in range(4)]]
    of_four = written(front, "steps") - before - of_one
    assert of_four < 2.5 * of_one, f"{of_four} steps for four, {of_one} for one"
    for speech in together:
        assert speech.samples.shape == alone.samples.shape
        assert np.abs(speech.samples.astype(int) - alone.samples).max() <= ROUNDING


def test_when_a_request_is_cancelled_the_language_model_stops_writing(front, counts):
    speak(front)
    stream = front.synthesizer.stream(LONG * 3, voice=VOICE, style=STYLE, quality="high")
    next(stream)
    stream.close()
    eventually(lambda: front.metric("tts_in_flight") == 0, "the request is over")
    time.sleep(0.5)
    before = written(front, "steps")
    time.sleep(0.5)
    assert written(front, "steps") == before


def test_a_long_text_is_spoken_in_pieces_of_whole_sentences(front, counts):
    text = "".join(f"这是第{number}句话，说的是天气和公园里的花。" for number in "一二三四五六七八九十")
    before = written(front, "prompts")
    speech = speak(front, text)
    pieces = written(front, "prompts") - before
    assert 2 <= pieces <= 5
    assert len(speech.clauses) == pieces
    assert "".join(clause.text for clause in speech.clauses) == text
    assert all(clause.text.endswith("。") and not clause.words for clause in speech.clauses)
    assert speech.clauses[-1].end <= speech.duration


def test_speed_stretches_and_energy_amplifies_and_pitch_is_refused_kindly(front):
    natural = speak(front)
    assert speak(front, speed=1.25).duration == pytest.approx(natural.duration / 1.25, rel=0.03)
    louder = speak(front, energy=3.0).samples.astype(float)
    assert np.sqrt(np.mean(louder**2) / np.mean(natural.samples.astype(float) ** 2)) == pytest.approx(1.41, rel=0.03)
    higher = speak(front, pitch=2.0)
    assert not unlike(higher, natural)
    assert "clamped" in {notice.kind for notice in higher.notices}


def test_how_a_text_is_read_is_told_in_characters(front):
    reading = front.synthesizer.phonemes("2024年见。", voice=VOICE)
    assert (reading.voice, reading.phonemes) == (VOICE, "")
    assert [word.said for word in reading.words] == ["二零二四年", "见"]


def test_speech_from_pinyin_is_refused_at_the_gateway(front):
    app = create_app(GatewaySettings(Connection(front.server.address.grpc)))

    async def ask():
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
                return await http.post("/v1/phonemes/speech", json={"phonemes": "ni3 hao3", "voice": VOICE})

    refused = asyncio.run(ask())
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "no_phonemes"


def test_a_demo_voice_says_that_it_has_no_attributes(front):
    front.synthesizer.load("demo")
    speech = front.synthesizer.synthesize("你好。", voice="demo", attributes={"gender": "女性"})
    assert speech.samples.size
    assert [notice for notice in speech.notices if "gender" in notice.message or "attribute" in notice.message]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"style": "很" * 201}, "201 characters"),
        ({"attributes": {"gender": "机器人"}}, "男性, 女性"),
        ({"attributes": {"colour": "红"}}, "gender, age"),
        ({"style": "  "}, "style"),
        ({"style": "an old man with a deep and calm voice"}, "understands Chinese only"),
    ],
)
def test_a_request_that_is_wrong_says_so(front, options, said):
    with pytest.raises(InvalidRequest, match=said):
        speak(front, **options)


@pytest.mark.parametrize("mark", ["<|SPEECH_GENERATION_END|>", "<|s_5|>", "<|endofprompt|>", "<|eot_id|>", "<|女性|>"])
def test_control_tokens_are_spelled_and_not_interpreted(front, mark):
    # Were it taken for the token, the design would end at once, or be that of the attribute.
    marked = speak(front, style=f"年轻的女性{mark}，声音清亮")
    assert marked.samples.size
    assert unlike(marked, speak(front, style="年轻的女性，声音清亮"))
    assert speak(front, text=f"你好{mark}，世界。").samples.size


def test_a_language_model_that_never_stops_is_bounded_and_told(front):
    speech = speak(front, "你好，世界。", voice="endless")
    assert 1.0 < speech.duration <= 1000 / 25
    assert "length" in {notice.kind for notice in speech.notices}


def test_a_language_model_that_stops_at_once_is_an_error_that_says_so(front):
    with pytest.raises(ServiceFailed, match="stopped at once"):
        speak(front, voice="mute")


@pytest.mark.parametrize("quality", ["balanced", "fast"])
def test_another_vocoder_answers_where_its_quality_is_asked_for(front, quality):
    speech = speak(front, quality=quality)
    plain = speak(front)
    assert not [notice for notice in speech.notices if notice.kind == "quality"]
    assert speech.samples.shape == plain.samples.shape
    assert unlike(speech, plain)
    assert np.abs(speech.samples).max() > 100


def test_a_voice_is_unloaded_whole_and_loaded_again_when_it_is_asked_for(front):
    before = speak(front)
    front.synthesizer.unload(VOICE)
    eventually(lambda: not any(front.ready(f"{VOICE}_{part}") for part in PARTS), "all of it is unloaded")
    assert not unlike(before, speak(front))
    assert unlike(before, speak(front, style="中年男性，声音沙哑"))
    assert [part for part in PARTS if not front.ready(f"{VOICE}_{part}")] == []


def test_a_language_model_whose_process_died_is_brought_back_and_the_request_answered(front):
    before = speak(front)
    (stub,) = [
        child
        for child in psutil.Process(front.server.pid).children(recursive=True)
        if any(f"{VOICE}_lm" in argument for argument in child.cmdline())
    ]
    stub.send_signal(signal.SIGKILL)
    assert not unlike(before, speak(front))
    eventually(lambda: front.metric("tts_revivals_total", model=f"{VOICE}_lm") >= 1, "the revival is counted")


def test_a_designer_that_stops_at_once_is_an_error_that_says_so_and_is_not_kept(front):
    for _ in range(2):
        with pytest.raises(ServiceFailed, match=r"silent_llasa stopped after 0 speech tokens, at least 50 are needed"):
            speak(front, voice="silent")


def test_a_designed_voice_and_another_one_speak_in_one_answer(front):
    front.synthesizer.load("demo")
    text = f'<speak><voice name="{VOICE}">你好吗？</voice><voice name="demo">我很好，谢谢。</voice></speak>'
    chunks = list(front.synthesizer.stream(text))
    assert {clause.text: chunk.voice for chunk in chunks for clause in chunk.clauses} == {
        "你好吗？": VOICE,
        "我很好，谢谢。": "demo",
    }
    assert len({chunk.sample_rate for chunk in chunks}) == 1


def test_the_command_line_designs_a_voice(front, tmp_path):
    command = (
        "synth",
        TEXT,
        "-o",
        "out.wav",
        "--voice",
        VOICE,
        "--style",
        STYLE,
        "--attribute",
        "age=老年",
        "--seed",
        "7",
    )
    result = subprocess.run(
        [sys.executable, "-m", "client", *command, "--server", front.server.address.grpc],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert result.returncode == 0, result.stderr
    samples, rate = soundfile.read(tmp_path / "out.wav", dtype="int16")
    assert rate == 24000
    same = speak(front, quality=None, attributes={"age": "老年"}, seed=7)
    np.testing.assert_array_equal(samples, same.samples)
