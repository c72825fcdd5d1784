"""A spectrogram that is vocoded while it grows."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from chunks import ChunkSizes, Window, needed, windows
from errors import CancelledError
from growing import GrowingMel
from hypothesis import given
from hypothesis import strategies as st
from pipeline import as_they_come

LEAD, TAIL = 36, 24
SIZES = ChunkSizes(32, 256)


def frames(count, start=0):
    return np.arange(start, start + count, dtype=np.float32).reshape(1, count, 1)


def growing(check=lambda: None):
    return GrowingMel(check)


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=12),
    st.tuples(st.integers(1, 128), st.integers(1, 512)).map(lambda pair: ChunkSizes(min(pair), max(pair))),
    st.sampled_from([1, 32, 64]),
    st.sampled_from([0, 1, 24]),
    st.booleans(),
)
def test_windows_of_a_growing_mel_cover_it_with_context_and_of_frames_that_are_there(
    steps, sizes, bucket, tail, begins
):
    there = 0
    coming = list(steps)
    ended = False

    def reach(wanted):
        nonlocal there, ended
        while coming and there < wanted:
            there += coming.pop(0)
        ended = not coming
        return there, ended

    kept = []
    for window in windows(reach, sizes, lead=LEAD, tail=tail, bucket=bucket, begins=begins):
        first = window.start + window.skip
        assert window.start == max(0, first - LEAD)
        assert window.stop >= first + window.keep + tail
        assert (window.stop - window.start) % bucket == 0
        assert window.keep > 0
        assert ended or window.stop < there, "nothing is made up before the end is known"
        kept += range(first, first + window.keep)
        assert ended or kept[-1] < there - 1
    assert kept == list(range(sum(steps)))


def test_a_growing_mel_is_vocoded_as_soon_as_it_has_what_a_first_window_needs():
    least = needed(SIZES, TAIL, 32)
    asked = []

    def reach(wanted):
        asked.append(wanted)
        return (least, False) if wanted <= least else (least, True)

    first = next(windows(reach, SIZES, lead=LEAD, tail=TAIL, bucket=32, begins=True))
    assert asked == [least]
    assert least == 64 + 1
    assert first == Window(0, 64, 0, 64 - TAIL)


def test_frames_are_waited_for(executor):
    mel = growing()
    reached = executor.submit(mel.reach, 30)
    mel.add(frames(20))
    assert not reached.done()
    mel.add(frames(20, 20))
    assert reached.result(5) == (40, False)
    assert mel.total is None
    mel.finish()
    assert mel.reach(50) == (40, True)
    assert mel.total == 40


def test_a_window_has_the_frames_in_order_and_repeats_the_last():
    mel = growing()
    mel.add(frames(5))
    mel.add(frames(5, 5))
    assert mel.cut(Window(3, 12, 0, 7))[0, :, 0].tolist() == [3, 4, 5, 6, 7, 8, 9, 9, 9]


@pytest.mark.parametrize("end", [lambda mel: mel.fail(ValueError("broken")), lambda mel: mel.close()])
def test_who_waits_hears_why_there_are_no_more(executor, end):
    mel = growing()
    reached = executor.submit(mel.reach, 1)
    end(mel)
    with pytest.raises((ValueError, CancelledError)):
        reached.result(5)


def test_the_first_reason_is_the_one_that_is_told():
    mel = growing()
    mel.fail(ValueError("broken"))
    mel.close()
    with pytest.raises(ValueError, match="broken"):
        mel.reach(1)


def test_who_waits_looks_whether_he_still_should():
    def check():
        raise CancelledError

    with pytest.raises(CancelledError):
        growing(check).reach(1)


@pytest.fixture
def executor():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_results_are_handed_out_while_the_next_call_is_awaited(executor):
    heard = threading.Event()

    def calls():
        yield lambda: 1
        assert heard.wait(5), "the first result is out before the second call is known"
        yield lambda: 2

    results = as_they_come(calls(), executor, 2)
    assert next(results) == 1
    heard.set()
    assert list(results) == [2]


def test_no_more_calls_are_under_way_than_may_be(executor):
    begun = []
    results = as_they_come((lambda n=n: begun.append(n) or n for n in range(9)), executor, 2)
    assert next(results) == 0
    threading.Event().wait(0.05)
    assert len(begun) <= 4
    assert list(results) == list(range(1, 9))


def test_an_error_comes_where_its_result_would_have_and_nothing_is_left_running(executor):
    ended = threading.Event()

    def calls():
        yield lambda: 1
        yield lambda: 1 / 0
        yield lambda: ended.wait(0.1) or ended.set()

    results = as_they_come(calls(), executor, 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert [executor.submit(lambda: "free").result(1) for _ in range(4)] == ["free"] * 4


def test_an_error_of_the_calls_comes_after_the_results_before_it(executor):
    def calls():
        yield lambda: 1
        raise ValueError("broken")

    results = as_they_come(calls(), executor, 2)
    assert next(results) == 1
    with pytest.raises(ValueError, match="broken"):
        next(results)
