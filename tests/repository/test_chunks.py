"""Windows of the vocoder: gapless, bounded, and with all the context that a sample depends on."""

from __future__ import annotations

import numpy as np
import pytest
from chunks import ChunkSizes, cut, windows
from hypothesis import given
from hypothesis import strategies as st

LEAD, TAIL, BUCKET = 36, 24, 64
SIZES = ChunkSizes(32, 256)


def plan(frames, begins=True, sizes=SIZES):
    return list(windows(lambda wanted: (frames, True), sizes, lead=LEAD, tail=TAIL, bucket=BUCKET, begins=begins))


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


@given(frame_counts, st.booleans())
def test_where_a_vocoder_meets_few_lengths_windows_are_multiples_of_a_step(frames, begins):
    sizes = ChunkSizes(32, 256, step=32)
    made = list(windows(lambda wanted: (frames, True), sizes, lead=LEAD, tail=TAIL, bucket=3, begins=begins))
    assert all((window.stop - window.start) % 32 == 0 for window in made)
    assert sum(window.keep for window in made) == frames


def test_the_first_window_of_a_request_is_small_and_they_grow():
    kept = [window.keep for window in plan(1000)]
    assert kept[0] == 64 - TAIL
    assert kept[:-1] == sorted(kept[:-1])


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
