"""Audio that comes in pieces is the audio that comes at once."""

from __future__ import annotations

import time
from contextlib import closing

import numpy as np
import pytest
from bench.measure import STAGES
from own_server import Copy
from triton_calls import Triton

from client import Synthesizer
from server import ServerOptions, TritonServer

TEXT = "人工智能正在改变我们的生活方式，也带来了新的挑战和机会。春天来了，花都开了！我们去公园散步，好吗？"

# Of 32767: the ensemble pads its clauses to the longest, and sums of other lengths round otherwise (2e-4 end to end).
ROUNDING = 8


def counts(triton):
    return [triton.counts(stage)[0] for stage in STAGES]


@pytest.fixture(scope="module")
def exact(repository, tmp_path_factory):
    """A server in float32: of several clauses the ensemble makes a batch, and int8 rounds another way in one."""
    copy = Copy(repository, tmp_path_factory.mktemp("exact") / "models")
    copy.serve_float32()
    with TritonServer(ServerOptions(copy.folder)) as server, Synthesizer(server.address.grpc) as synthesizer:
        triton = Triton(server.address.grpc)
        yield triton, synthesizer
        triton.client.close()


@pytest.mark.parametrize("controls", [{}, {"speed": 0.6}, {"speed": 1.6, "pitch": 2.0}, {"energy": 5.0}])
def test_streamed_samples_are_those_of_the_ensemble(exact, controls):
    triton, synthesizer = exact
    streamed = np.concatenate([chunk.samples for chunk in synthesizer.stream(TEXT, **controls)])
    offline = triton.demo(TEXT=TEXT, **{name.upper(): value for name, value in controls.items()}).audio
    assert streamed.shape == offline.shape
    assert np.abs(streamed.astype(int) - offline).max() <= ROUNDING


def test_no_click_at_any_join(synthesizer):
    chunks = [chunk.samples.astype(float) for chunk in synthesizer.stream(TEXT, speed=0.7)]
    assert len(chunks) > 4
    audio = np.concatenate(chunks)
    # A click is a jump in the second difference; at a join it must not stand out of its own neighbourhood.
    curve = np.abs(np.diff(audio, 2))
    for join in np.cumsum([chunk.size for chunk in chunks])[:-1]:
        here = curve[join - 2 : join + 1].max()
        around = curve[max(0, join - 240) : join + 240]
        assert here <= around.max()
        assert here <= 4 * np.quantile(around, 0.95) + 8


def test_the_first_piece_is_small_and_comes_before_the_clause_is_vocoded(triton, synthesizer):
    before = counts(triton)
    stream = synthesizer.stream(TEXT, speed=0.7)
    first = next(stream)
    assert 0.2 < first.samples.size / first.sample_rate < 0.8
    assert first.clauses[0].end > 2 * first.samples.size / first.sample_rate
    rest = list(stream)
    assert counts(triton)[2] - before[2] == 1 + len(rest)


def test_among_several_requests_a_first_piece_lasts_longer(synthesizer, eight):
    def first(_):
        with closing(synthesizer.stream(TEXT, speed=0.7)) as stream:
            chunk = next(stream)
            list(stream)
            return chunk.samples.size

    assert max(eight.map(first, range(8))) > 1.5 * first(0)


def test_progress_and_times_go_on_through_the_pieces(synthesizer):
    chunks = list(synthesizer.stream(TEXT))
    done = [chunk.progress.done for chunk in chunks]
    assert done == sorted(done)
    assert done[-1] == len(TEXT)
    clauses = [clause for chunk in chunks for clause in chunk.clauses]
    assert [clause.text for clause in clauses] == [
        "人工智能正在改变我们的生活方式，也带来了新的挑战和机会。",
        "春天来了，花都开了！",
        "我们去公园散步，好吗？",
    ]
    seconds = sum(chunk.samples.size for chunk in chunks) / chunks[0].sample_rate
    assert clauses[-1].end == pytest.approx(seconds, abs=0.01)


def test_a_stream_that_is_left_stops_costing_within_half_a_second(triton, synthesizer):
    stream = synthesizer.stream(TEXT * 40)
    next(stream)
    stream.close()
    time.sleep(0.5)
    stopped = counts(triton)
    time.sleep(1.0)
    assert counts(triton) == stopped


def test_a_mark_is_told_at_its_time(synthesizer):
    text = '<speak>今天天气真好，<mark name="park"/>我们去公园散步吧。<break time="700ms"/>再见。</speak>'
    speech = synthesizer.synthesize(text)
    (mark,) = speech.marks
    words = [word for clause in speech.clauses for word in clause.words]
    (park,) = [word for word in words if word.text.startswith("我们")]
    assert mark.name == "park"
    assert mark.time == pytest.approx(park.start, abs=0.35)
    gap = speech.clauses[-1].start - speech.clauses[-2].end
    assert gap == pytest.approx(0.7, abs=0.01)


def test_a_long_answer_is_asked_for_in_parts_and_sounds_as_one(synthesizer, triton, monkeypatch):
    whole = list(synthesizer.stream(TEXT * 2))
    before = triton.counts("tts")[0]
    monkeypatch.setattr("client._protocol.PART_SECONDS", 5)
    parts = list(synthesizer.stream(TEXT * 2))
    assert triton.counts("tts")[0] - before >= 2
    streams = [np.concatenate([chunk.samples for chunk in chunks]).astype(int) for chunks in (whole, parts)]
    assert streams[0].shape == streams[1].shape
    assert np.abs(streams[0] - streams[1]).max() <= ROUNDING
    clauses = [[clause for chunk in chunks for clause in chunk.clauses] for chunks in (whole, parts)]
    assert clauses[0] == clauses[1]
    assert parts[-1].progress == whole[-1].progress
