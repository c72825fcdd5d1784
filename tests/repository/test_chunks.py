"""Windows of the vocoder: gapless, bounded, and with all the context that a sample depends on."""

from __future__ import annotations

import numpy as np
import pytest
from chunks import ChunkSizes, Growth, cut, windows
from hypothesis import given
from hypothesis import strategies as st

LEAD, TAIL, BUCKET = 36, 24, 64
SIZES = ChunkSizes(32, 256)


class Vocoder:
    """Takes `seconds` for a frame; a frame is heard for 12.5 ms."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.now = 0.0

    def plan(self, frames, begins=True, sizes=SIZES):
        growth = Growth(sizes, 0.0125, LEAD + TAIL, lambda: self.now)
        size = growth if begins else lambda: sizes.largest
        for window in windows(frames, size, lead=LEAD, tail=TAIL, bucket=BUCKET):
            self.now += self.seconds * (window.stop - window.start)
            growth.vocoded(window)
            yield window


def plan(frames, begins=True, sizes=SIZES, seconds=0.0):
    return list(Vocoder(seconds).plan(frames, begins, sizes))


frame_counts = st.integers(1, 1300)
chunk_sizes = st.tuples(st.integers(1, 128), st.integers(1, 512)).map(lambda pair: ChunkSizes(min(pair), max(pair)))


@given(frame_counts, st.booleans(), chunk_sizes)
def test_windows_cover_every_frame_once_in_order(frames, begins, sizes):
    kept = [range(w.start + w.skip, w.start + w.skip + w.keep) for w in plan(frames, begins, sizes)]
    assert [frame for part in kept for frame in part] == list(range(frames))


@given(frame_counts, st.booleans(), chunk_sizes)
def test_every_kept_frame_has_its_context(frames, begins, sizes):
    for window in plan(frames, begins, sizes):
        first = window.start + window.skip
        assert window.start == max(0, first - LEAD)
        assert window.stop >= first + window.keep + TAIL


@given(frame_counts, st.booleans(), chunk_sizes)
def test_windows_fill_whole_buckets_and_are_bounded(frames, begins, sizes):
    for window in plan(frames, begins, sizes):
        length = window.stop - window.start
        assert length % BUCKET == 0
        assert length <= sizes.largest + 2 * LEAD + TAIL + 2 * BUCKET


@given(frame_counts, st.floats(0, 0.1))
def test_windows_cover_every_frame_at_any_speed(frames, seconds):
    assert sum(window.keep for window in plan(frames, seconds=seconds)) == frames


def test_the_first_window_of_a_request_is_small_and_the_next_is_large_where_the_vocoder_is_fast():
    kept = [window.keep for window in plan(1000, seconds=0.0002)]
    assert kept[0] == 64 - TAIL
    assert kept[1] >= SIZES.largest


def test_of_a_slow_vocoder_windows_grow_with_what_there_is_to_hear():
    kept = [window.keep for window in plan(1000, seconds=0.002)]
    assert kept[1] < SIZES.largest
    assert max(kept) > kept[1]


def test_nobody_waits_for_a_next_window_of_a_vocoder_that_can_keep_up():
    vocoder, heard = Vocoder(0.002), None
    for window in vocoder.plan(2000):
        if heard is None:
            heard = vocoder.now
        assert vocoder.now <= heard
        heard += 0.0125 * window.keep


def test_a_later_clause_of_usual_length_is_one_window():
    assert len(plan(280, begins=False)) == 1


def test_no_window_is_shorter_than_its_context():
    assert all(window.keep > TAIL for window in plan(337)[1:])


def test_beyond_the_end_of_the_mel_its_last_frame_is_repeated():
    mel = np.arange(10, dtype=np.float32).reshape(1, 10, 1)
    (window,) = plan(10)
    piece = cut(mel, window)
    assert piece.shape == (1, 64, 1)
    assert piece[0, 10:].tolist() == [[9.0]] * 54


@pytest.mark.parametrize("begins", [True, False])
def test_a_vocoder_that_looks_tail_frames_around_gives_the_same_samples_in_chunks(begins):
    def vocode(mel):
        padded = np.pad(mel[0, :, 0], TAIL, mode="edge")
        return np.convolve(padded, np.ones(2 * TAIL + 1), mode="valid")

    frames = 700
    mel = np.random.default_rng(0).standard_normal((1, frames + TAIL, 1)).astype(np.float32)
    mel[:, frames:] = mel[:, frames - 1 : frames]
    whole = vocode(mel)[:frames]
    parts = [vocode(cut(mel, w))[w.skip : w.skip + w.keep] for w in plan(frames, begins)]
    assert np.allclose(np.concatenate(parts), whole, atol=1e-4)
