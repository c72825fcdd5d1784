"""Mel of speech tokens that are still being written: the same frames, whenever they are made."""

from __future__ import annotations

import numpy as np
import pytest
from design import Prompt
from flow import Flow
from generation import Generation
from hypothesis import given, settings
from hypothesis import strategies as st
from sculpting_fakes import AHEAD, BUCKET, CHUNK, GENERATION, POISON, Voice, frames_of

SETTINGS = Generation.parse(GENERATION, "zhi")
speeds = st.one_of(st.just(1.0), st.floats(0.5, 2.0))


def prompt(tokens):
    mel = np.ones((2 * tokens, 80), dtype=np.float32)
    codes = np.arange(tokens, dtype=np.int32)
    return Prompt(codes, mel, np.ones(192, dtype=np.float32), np.zeros(2, dtype=np.int32))


class FlowAlone(Voice):
    """The flow stage for prompts of any length."""

    def _flow(self, inputs):
        positions = inputs["positions"][0]
        shown = int((positions >= 0).sum())
        known, held = int(inputs["token_lengths"][0, 0]), int(inputs["held"][0, 0])
        self.shapes.append((inputs["tokens"].shape[1], inputs["prompt_mel"].shape[1], len(positions), known))
        mel = np.full((1, len(positions), 3), POISON, dtype=np.float32)
        mel[0, :shown] = frames_of(inputs["tokens"][0], known, held, np.ones(1), positions[:shown])
        return {"mel": mel}


def flow(tokens=40, speed=1.0, first=20, hop=25, batching=True):
    voice = FlowAlone()
    bucket = BUCKET if batching else 1
    made = Flow(
        voice.caller(),
        "zhi_flow",
        SETTINGS,
        prompt(tokens),
        speed,
        first=first,
        hop=hop,
        bucket=bucket,
        batching=batching,
    )
    return voice, made


def chunked(codes, sizes=(1,), **options):
    """The mel of codes that come in pieces of these sizes, again and again."""
    voice, made = flow(**options)
    parts, there, at = [], 0, 0
    while there < len(codes):
        there += sizes[at % len(sizes)]
        at += 1
        while made.due <= min(there, len(codes) - 1):
            parts.append(made.more(codes[:there]))
    return np.concatenate([*parts, made.rest(codes)], axis=1)[0], voice, parts


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 120),
    st.integers(1, 400),
    speeds,
    st.integers(1, 60),
    st.sampled_from([25, 50, 100]),
    st.lists(st.integers(1, 60), min_size=1, max_size=5),
)
def test_frames_do_not_depend_on_when_they_were_made(tokens, count, speed, first, hop, sizes):
    codes = np.random.default_rng(count).integers(0, 6561, count).astype(np.int32)
    options = {"tokens": tokens, "speed": speed, "first": first, "hop": hop}
    mel, _, _ = chunked(codes, sizes, **options)
    _, alone = flow(**options)
    whole = alone.rest(codes)[0]
    assert (mel != POISON).all(), "only what is final was given"
    assert mel.tolist() == whole.tolist()
    assert mel[:, 2].tolist() == list(range(len(mel))), "no frame is missing or there twice"


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 400), st.floats(0.5, 2.0))
def test_speed_stretches_the_frames_evenly_over_all_tokens(count, speed):
    mel, _, _ = chunked(np.zeros(count, dtype=np.int32), (count,), speed=speed)
    assert len(mel) == max(1, round(2 * count / speed))
    assert mel[0, 0] == 2 * 40
    last = 2 * 40 + 2 * count - 1
    assert mel[-1, 0] <= last
    assert np.allclose(np.diff(mel[mel[:, 0] < last, 0]), speed, atol=1e-3)


def test_the_first_frames_are_there_as_soon_as_they_are_final():
    for tokens in range(CHUNK):
        _, made = flow(tokens=tokens, first=20)
        frames = made.more(np.zeros(made.due, dtype=np.int32)).shape[1]
        assert 20 <= frames < 20 + 2 * CHUNK
        assert (tokens + made.due) % CHUNK == AHEAD


def test_stretches_grow_so_that_all_calls_together_cost_about_as_much_as_two():
    codes = np.zeros(900, dtype=np.int32)
    _, voice, parts = chunked(codes, (25,), tokens=0)
    ends = [known for _, _, _, known in voice.shapes]
    assert ends == [28, 53, 103, 203, 403, 803, 900]
    assert sum(ends) < 3 * len(codes)
    assert len(parts) == 6


def test_where_requests_share_runs_every_axis_fills_whole_buckets():
    _, voice, _ = chunked(np.zeros(200, dtype=np.int32), (7,), tokens=40)
    for tokens, frames, positions, _ in voice.shapes:
        assert (tokens % CHUNK, frames % (2 * CHUNK), positions % BUCKET) == (0, 0, 0)


def test_where_they_do_not_nothing_is_longer_than_it_must_be():
    _, voice, _ = chunked(np.zeros(200, dtype=np.int32), (200,), tokens=40, batching=False)
    assert [shape[:3] for shape in voice.shapes[-1:]] == [(240, 80, 400)]


@pytest.mark.parametrize("batching", [True, False])
def test_no_axis_is_shorter_than_the_stage_takes(batching):
    _, voice, _ = chunked(np.zeros(1, dtype=np.int32), tokens=1, batching=batching)
    assert min(voice.shapes[0][:3]) >= 32
