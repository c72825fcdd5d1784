"""Small Sambert voices from checkpoints in ModelScope's layout, beside the demo voice in one server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from own_server import Copy, eventually, front_door
from triton_calls import Triton

from client import InvalidRequest
from export.bundle import Choice
from export.families import sambert as family
from export.families.sambert.untrained import write_untrained
from export.repository import write_voice
from export.specs import Precision
from server.watch import Watch, WatchSettings

TEXT = "北京今天天气怎么样？我们去公园散步吧，花都开了。"
# Of 32767, see test_streaming.py.
ROUNDING = 8


@pytest.fixture(scope="module")
def front(repository, sambert, tmp_path_factory):
    """A server with `sambert`, 16 kHz and exported by the command, and `studio`, 24 kHz with an NSF vocoder."""
    folder = tmp_path_factory.mktemp("served")
    copy = Copy(repository, folder / "repository")
    for model in sambert.repository.glob("sambert*"):
        shutil.copytree(model, copy.folder / model.name)
    write_untrained(folder / "studio", 24000, seed=2, nsf=True, size="small")
    studio = family.bundle(folder / "studio", "studio", Choice()).only([Precision.FP32])
    write_voice(studio, copy.folder, lambda _: None)
    with front_door(copy) as running:
        yield running


def samples(front, **options):
    return front.synthesizer.synthesize(TEXT, **{"voice": "sambert"} | options).samples


def test_a_voice_tells_its_emotions_speakers_and_qualities(front):
    voices = {voice.name: voice for voice in front.synthesizer.voices()}
    sambert = voices["sambert"]
    assert (sambert.family, sambert.sample_rate, sambert.qualities) == ("sambert", 16000, ("high",))
    assert sambert.emotions == ("neutral", "happy", "sad")
    assert sambert.speakers[0] == "F7"
    assert voices["studio"].sample_rate == 24000


@pytest.mark.parametrize("voice", ["sambert", "studio"])
def test_streamed_samples_are_those_of_the_ensemble(front, voice):
    streamed = np.concatenate([chunk.samples for chunk in front.synthesizer.stream(TEXT, voice=voice)])
    offline = Triton(front.server.address.grpc).ensemble(voice, TEXT=TEXT, VOICE=voice).audio
    assert streamed.shape == offline.shape
    assert np.abs(streamed).max() > 100
    assert np.abs(streamed.astype(int) - offline).max() <= ROUNDING


def test_an_emotion_and_a_speaker_are_heard(front):
    heard = [samples(front), samples(front, emotion="happy"), samples(front, speaker="M7")]
    assert not any(a.shape == b.shape and np.array_equal(a, b) for a, b in pairwise(heard))
    assert np.array_equal(samples(front), samples(front, emotion="neutral", speaker="F7"))


def test_markup_gives_an_emotion_and_how_strong_it_is(front):
    def said(attributes):
        return front.synthesizer.synthesize(f"<speak><emotion {attributes}>{TEXT}</emotion></speak>", voice="sambert")

    assert np.array_equal(said('category="happy" intensity="1.0"').samples, samples(front, emotion="happy"))
    assert np.array_equal(said('category="happy" intensity="0"').samples, samples(front))


def test_an_unknown_emotion_lists_the_known_ones(front):
    with pytest.raises(InvalidRequest, match="neutral, happy, sad"):
        samples(front, emotion="furious")


def test_a_clauses_samples_do_not_depend_on_its_company(front):
    alone = samples(front)
    with ThreadPoolExecutor(6) as pool:
        texts = ["好。", "今天是个好日子，心想的事儿都能成。", "一二三四五六七八九十。"] * 2
        others = [pool.submit(front.synthesizer.synthesize, text, voice="sambert") for text in texts]
        together = samples(front)
        assert all(other.result().samples.size for other in others)
    assert together.shape == alone.shape
    assert np.abs(together.astype(int) - alone).max() <= ROUNDING


def test_speed_and_energy_do_what_they_do_for_every_voice(front):
    natural = samples(front)
    assert samples(front, speed=1.5).size == pytest.approx(natural.size / 1.5, rel=0.15)
    louder = samples(front, energy=3.0).astype(float)
    assert np.sqrt(np.mean(louder**2) / np.mean(natural.astype(float) ** 2)) == pytest.approx(1.41, rel=0.02)
    assert not np.array_equal(samples(front, pitch=2.0), natural)


def test_a_text_comes_back_from_its_pinyin(front):
    reading = front.synthesizer.phonemes(TEXT, voice="sambert")
    assert reading.phonemes.startswith("bei3 jing1 #1 jin1 tian1")
    back = front.synthesizer.synthesize(reading.ssml, voice="sambert").samples
    assert back.shape == samples(front).shape
    assert np.abs(back.astype(int) - samples(front)).max() <= ROUNDING


def test_words_are_told_with_their_times_and_phones(front):
    speech = front.synthesizer.synthesize(TEXT, voice="studio")
    words = [word for clause in speech.clauses for word in clause.words]
    assert "".join(word.text for word in words).startswith("北京今天天气怎么样")
    assert all(word.start <= word.end for word in words)
    assert [phone.phone for phone in words[0].phones][:2] == ["b", "ei3"]
    assert words[-1].end <= speech.duration


def test_a_missing_quality_is_told_only_where_it_was_asked_for(front):
    kinds = [
        [notice.kind for notice in front.synthesizer.synthesize("你好。", voice="sambert", quality=quality).notices]
        for quality in (None, "high", "fast")
    ]
    assert kinds == [[], [], ["quality"]]


def test_voices_of_two_rates_speak_in_one_answer(front):
    text = '<speak><voice name="sambert">你好吗？</voice><voice name="studio">我很好。</voice></speak>'
    chunks = list(front.synthesizer.stream(text))
    assert {chunk.sample_rate for chunk in chunks} == {16000}
    assert {chunk.voice for chunk in chunks} == {"sambert", "studio"}


def test_a_watch_finds_every_voice_well(front):
    told = []
    watch = Watch(front.server, told.append, WatchSettings(interval=0.0))
    for _ in range(6):
        watch.tick()
    assert told == []


def test_nothing_is_exported_into_a_repository_that_is_being_served(front, tmp_path):
    before = sorted(str(path) for path in front.server.options.repository.rglob("*"))
    result = subprocess.run(
        [sys.executable, "-m", "export", "configs", "--repository", str(front.server.options.repository)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "is being served" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert sorted(str(path) for path in front.server.options.repository.rglob("*")) == before


def test_the_command_line_speaks_with_an_emotion(front, tmp_path):
    out = tmp_path / "out.wav"
    command = ("synth", "你好，世界。", "-o", str(out), "--voice", "sambert", "--emotion", "happy", "--json")
    result = subprocess.run(
        [sys.executable, "-m", "client", *command, "--server", front.server.address.grpc],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["sample_rate"] == 16000
    assert out.stat().st_size > 1000


def test_a_voice_is_taken_away_and_brought_back_while_the_server_runs(front, tmp_path):
    folder = front.server.options.repository
    before = samples(front, voice="studio")
    front.synthesizer.unload("studio")
    eventually(lambda: not front.ready("studio_hifigan"), "its last stage is unloaded")
    models = sorted(folder.glob("studio*"))  # its own folder first
    for model in models:
        shutil.move(model, tmp_path / model.name)
    assert "studio" not in {voice.name for voice in front.synthesizer.voices()}
    for model in reversed(models):
        shutil.move(tmp_path / model.name, model)
    assert front.synthesizer.load("studio").ready
    assert np.array_equal(samples(front, voice="studio"), before)
