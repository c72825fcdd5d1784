"""Durations become frames, exactly and in order."""

from __future__ import annotations

import json

import numpy as np
import pytest
from alignment import align, alignment, frame_counts, padded_length
from hypothesis import given
from hypothesis import strategies as st

durations = st.lists(st.floats(0, 60, width=32), min_size=1, max_size=120).map(lambda v: np.array(v, dtype=np.float32))


speeds = st.floats(0.5, 2.0)


def some(values):
    """Some of the units."""
    return st.lists(st.integers(0, len(values) - 1), unique=True)


@given(durations)
def test_at_natural_speed_each_duration_is_rounded_on_its_own_and_none_is_unheard(values):
    assert frame_counts(values, 1.0).tolist() == np.maximum(np.rint(values), 1).astype(int).tolist()


@given(durations, speeds, st.data())
def test_a_clause_is_as_long_as_its_speed_says_to_within_half_a_frame(values, speed, data):
    pauses, vanishing = data.draw(some(values)), data.draw(some(values))
    natural = frame_counts(values, 1.0, vanishing=vanishing).sum()
    scaled = frame_counts(values, speed, pauses, vanishing).sum()
    assert abs(scaled - max(natural / speed, len(values) - len(vanishing))) <= 0.5 + 1e-6


@given(durations, speeds, st.data())
def test_no_unit_is_unheard_however_fast_unless_it_may_vanish(values, speed, data):
    pauses, vanishing = data.draw(some(values)), data.draw(some(values))
    counts = frame_counts(values, speed, pauses, vanishing)
    assert (counts >= 0).all()
    assert (np.delete(counts, vanishing) >= 1).all()


@given(durations, st.data())
def test_a_unit_that_may_vanish_is_rounded_like_the_others_but_down_to_nothing(values, data):
    vanishing = data.draw(some(values))
    counts = frame_counts(values, 1.0, vanishing=vanishing)
    assert counts[vanishing].tolist() == np.rint(values[vanishing]).astype(int).tolist()
    assert np.delete(counts, vanishing).tolist() == frame_counts(np.delete(values, vanishing), 1.0).tolist()


def test_a_unit_without_a_frame_stays_without_at_any_speed():
    values = np.array([8, 0.4, 16, 0], dtype=np.float32)
    for speed in (0.5, 1.0, 1.5, 2.0):
        assert frame_counts(values, speed, [1, 3], [1, 3])[[1, 3]].tolist() == [0, 0]


def test_fast_speech_takes_more_from_the_pauses_than_from_the_words():
    values = np.array([20, 10, 10, 10, 10, 20], dtype=np.float32)
    assert frame_counts(values, 1.6, [0, 5]).tolist() == [8, 8, 9, 9, 8, 8]
    assert frame_counts(values, 0.5, [0, 5]).tolist() == [40, 20, 20, 20, 20, 40]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40).filter(any), st.integers(0, 50))
def test_each_unit_owns_as_many_frames_as_counted_and_the_padding_repeats_the_last(counts, padding):
    array = np.array(counts, dtype=np.int32)
    index = alignment(array, int(array.sum()) + padding)
    assert np.bincount(index[: array.sum()], minlength=array.size).tolist() == counts
    assert (index[array.sum() :] == array.size - 1).all()


@given(st.integers(1, 2000), st.integers(0, 64), st.sampled_from([1, 16, 64, 100]))
def test_the_frame_axis_is_a_bucket_with_room_for_the_tail_and_no_longer_than_needed(frames, tail, bucket):
    length = padded_length(frames, tail, bucket)
    assert length % bucket == 0
    assert frames + tail <= length < frames + tail + bucket


def clause(**changes):
    described = {
        "text": "你好",
        "pause": 0.3,
        "lead": None,
        "trail": None,
        "marks": [],
        "words": [["你好", 1, 4]],
        "phones": ["sil", "n", "i2", "h", "sil"],
        "pauses": [0, 4],
        "vanishing": [],
        "tight": [],
        "sample_rate": 24000,
        "hop_length": 300,
        "unit_bucket": 16,
        "frame_bucket": 64,
        "frame_tail": 24,
        "voice": "demo",
        "notices": [],
    }
    return json.dumps(described | changes)


def test_words_and_phones_are_timed_by_the_frames_of_their_units():
    values = np.array([[4.0, 8.0, 16.0, 8.0, 4.0, 0.0]], dtype=np.float32)
    rows, lengths, timings = align(values, np.array([5]), np.array([1.0]), [clause()])
    assert rows.shape == (1, 64)
    assert lengths.tolist() == [40]
    (word,) = json.loads(timings[0])["words"]
    assert (word["start"], word["end"]) == (0.05, 0.45)
    assert [p["phone"] for p in word["phones"]] == ["n", "i2", "h"]
    assert word["phones"][1] == {"phone": "i2", "start": 0.15, "end": 0.35}


def test_a_unit_without_a_label_continues_the_phone_before_it():
    values = np.array([[4.0, 8.0, 16.0, 8.0, 4.0]], dtype=np.float32)
    _, _, timings = align(values, np.array([5]), np.array([1.0]), [clause(phones=["sil", "n", "i2", "", "sil"])])
    (word,) = json.loads(timings[0])["words"]
    assert word["phones"][-1] == {"phone": "i2", "start": 0.15, "end": 0.45}


def test_a_break_that_nobody_hears_takes_no_time_and_frames_fill_whole_buckets():
    values = np.array([[4.0, 8.0, 0.2, 8.0, 16.0, 0.0]], dtype=np.float32)
    text = clause(
        words=[["你", 0, 2], ["好", 3, 5]],
        phones=["n", "i3", "#1", "h", "ao3", "#4"],
        pauses=[2, 5],
        vanishing=[2, 5],
        frame_bucket=48,
        frame_tail=20,
    )
    rows, lengths, timings = align(values, np.array([6]), np.array([1.0]), [text])
    assert (rows.shape, lengths.tolist()) == ((1, 96), [36])
    assert not {2, 5} & set(rows[0, :36].tolist())
    first, second = json.loads(timings[0])["words"]
    assert first["end"] == second["start"] == 0.15


def test_padding_units_are_not_heard():
    values = np.array([[4.0, 4.0, 9.0, 9.0, 9.0]], dtype=np.float32)
    text = clause(words=[["好", 0, 2]], phones=["h", "ao3"], pauses=[])
    _, lengths, _ = align(values, np.array([2]), np.array([1.0]), [text])
    assert lengths.tolist() == [8]


def test_clauses_of_one_request_share_the_frame_axis_of_the_longest():
    values = np.array([[10.0] * 5, [40.0] * 5], dtype=np.float32)
    rows, lengths, _ = align(values, np.array([5, 5]), np.array([1.0, 1.0]), [clause(), clause()])
    assert rows.shape == (2, 256)
    assert lengths.tolist() == [50, 200]


def test_durations_that_are_not_numbers_are_an_error_and_not_noise():
    with pytest.raises(ValueError, match="not numbers"):
        align(np.full((1, 5), np.nan, dtype=np.float32), np.array([5]), np.array([1.0]), [clause()])


def test_a_mark_is_heard_when_its_unit_begins_or_the_clause_ends():
    values = np.array([[4.0, 8.0, 16.0, 8.0, 4.0]], dtype=np.float32)
    _, _, timings = align(values, np.array([5]), np.array([2.0]), [clause(marks=[["a", 0], ["b", 2], ["c", 5]])])
    told = json.loads(timings[0])
    times = [mark["time"] for mark in told["marks"]]
    assert times == [0.0, told["words"][0]["phones"][1]["start"], told["frames"] * 300 / 24000]
    assert [mark["name"] for mark in told["marks"]] == ["a", "b", "c"]


def test_the_silence_inside_a_sentence_is_short():
    values = np.array([[20.0, 8.0, 16.0, 8.0, 2.0]], dtype=np.float32)
    _, lengths, timings = align(values, np.array([5]), np.array([1.0]), [clause(tight=[[0, 0.0375], [4, 0.1]])])
    assert lengths.tolist() == [3 + 8 + 16 + 8 + 2]
    assert json.loads(timings[0])["words"][0]["start"] == 3 * 300 / 24000
