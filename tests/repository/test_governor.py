"""The service gives up something at once when it must and takes it back only when it is safe."""

from __future__ import annotations

from itertools import pairwise

import pytest
from governor import MARGIN, PATIENCE_SECONDS, Governor, Limit, Readings, Step, Thresholds, allowance
from hypothesis import given
from hypothesis import strategies as st

GB = 10**9
THRESHOLDS = Thresholds(
    small=Limit(4 * GB, 0.70),
    light=Limit(2 * GB, 0.80),
    shed=Limit(1 * GB, 0.90),
    queue_wait_seconds=3.0,
    recover_seconds=10.0,
)


def readings(free=50.0, used=0.1, gpu_free=None, gpu_used=None, wait=0.0, in_flight=1):
    """Free memory in GB."""
    return Readings(int(free * GB), used, None if gpu_free is None else int(gpu_free * GB), gpu_used, wait, in_flight)


def run(governor, seconds, reading, start=0.0, period=0.1):
    """Feed one reading for so long; the last step and the time after it."""
    now, step = start, governor.step
    for _ in range(round(seconds / period)):
        step = governor.update(reading, now)
        now += period
    return step, now


@pytest.mark.parametrize(
    ("reading", "step", "reason"),
    [
        (readings(), Step.FULL, "memory and queue are normal"),
        (readings(free=3.25), Step.SMALL, "3.2 GB of host memory free"),
        (readings(used=0.75), Step.SMALL, "75% of host memory used"),
        (readings(free=1.5), Step.LIGHT, "1.5 GB of host memory free"),
        (readings(gpu_free=1.9, gpu_used=0.5), Step.LIGHT, "1.9 GB of GPU memory free"),
        (readings(gpu_free=9.0, gpu_used=0.95), Step.SHED, "95% of GPU memory used"),
        (readings(free=0.5, gpu_free=3.0, gpu_used=0.1), Step.SHED, "0.5 GB of host memory free"),
    ],
)
def test_one_reading_is_enough_for_the_step_that_it_asks_for(reading, step, reason):
    governor = Governor(THRESHOLDS)
    assert governor.update(reading, 0.0) is step
    assert governor.step is step
    assert governor.reason == reason


def test_a_threshold_of_nought_is_off():
    governor = Governor(Thresholds())
    assert governor.update(readings(free=0.0, used=1.0, gpu_free=0.0, gpu_used=1.0, wait=1e9), 0.0) is Step.FULL
    assert run(governor, 60, readings(free=0.0, used=1.0, wait=1e9))[0] is Step.FULL


def test_a_burst_in_the_queue_changes_nothing_and_a_queue_that_stays_slow_does():
    governor = Governor(THRESHOLDS)
    _, now = run(governor, PATIENCE_SECONDS / 2, readings(wait=4.0))
    _, now = run(governor, 0.1, readings(wait=1.0), now)
    step, now = run(governor, PATIENCE_SECONDS / 2, readings(wait=4.0), now)
    assert step is Step.FULL
    step, now = run(governor, PATIENCE_SECONDS, readings(wait=4.0), now)
    assert step is Step.SMALL
    assert governor.reason == "requests wait 4.0 s to be started"


def test_waiting_while_nothing_runs_is_no_load():
    assert run(Governor(THRESHOLDS), 60, readings(wait=100.0, in_flight=0))[0] is Step.FULL


def test_a_slow_queue_alone_never_sheds():
    assert run(Governor(THRESHOLDS), 60, readings(wait=1e6))[0] is Step.SMALL


def test_the_way_back_is_one_step_at_a_time_each_after_the_time_to_recover():
    governor = Governor(THRESHOLDS)
    governor.update(readings(free=0.5), 0.0)
    seen = []
    for tenth in range(1, 400):
        step = governor.update(readings(), tenth / 10)
        if not seen or seen[-1][1] is not step:
            seen.append((tenth / 10, step))
    assert [step for _, step in seen] == [Step.SHED, Step.LIGHT, Step.SMALL, Step.FULL]
    assert all(later - earlier >= 9.9 for (earlier, _), (later, _) in pairwise(seen))


def test_the_way_back_ends_where_the_readings_still_ask_for_a_step():
    governor = Governor(THRESHOLDS)
    governor.update(readings(free=0.5), 0.0)
    step, _ = run(governor, 100, readings(free=3.0), 0.1)
    assert step is Step.SMALL
    assert governor.reason == "3.0 GB of host memory free"


def test_one_bad_reading_starts_the_time_to_recover_anew():
    governor = Governor(THRESHOLDS)
    governor.update(readings(free=3.0), 0.0)
    _, now = run(governor, 9.0, readings(), 0.1)
    governor.update(readings(free=4.2), now)
    assert run(governor, 9.0, readings(), now + 0.1)[0] is Step.SMALL
    assert run(governor, 2.0, readings(), now + 9.2)[0] is Step.FULL


@given(st.sampled_from([(Step.SMALL, 4.0, 0.7), (Step.LIGHT, 2.0, 0.8), (Step.SHED, 1.0, 0.9)]), st.data())
def test_readings_that_swing_within_the_margin_change_the_step_once_at_most(case, data):
    step, free, used = case
    on_host = data.draw(st.booleans())
    by_bytes = data.draw(st.booleans())
    governor, changes, now = Governor(THRESHOLDS), [], 0.0
    # The threshold below must not be met by these readings, or it would be the one that swings.
    bounds = (0.95, 1 + MARGIN - 1e-6) if by_bytes else (1 - MARGIN + 1e-6, 1.05)
    for factor in data.draw(st.lists(st.floats(*bounds), min_size=2, max_size=80)):
        value = {"free": free * factor} if by_bytes else {"used": used * factor}
        if not on_host:
            value = {f"gpu_{key}": entry for key, entry in value.items()}
            value = {"gpu_free": 99.0, "gpu_used": 0.0} | value
        before = governor.step
        after = governor.update(readings(**value), now)
        if after is not before:
            changes.append(after)
        now += data.draw(st.floats(0.0, 3.0))
    assert changes == sorted(changes), "never down"
    assert governor.step <= step


@given(
    st.lists(
        st.tuples(st.floats(0, 60), st.floats(0, 1), st.floats(0, 9), st.integers(0, 4), st.floats(0, 20)),
        min_size=1,
        max_size=80,
    )
)
def test_whatever_the_readings_no_step_is_too_low_and_none_is_left_early(sequence):
    governor, now, last_change = Governor(THRESHOLDS), 0.0, 0.0
    for free, used, wait, in_flight, pause in sequence:
        before = governor.step
        after = governor.update(readings(free=free, used=used, wait=wait, in_flight=in_flight), now)
        asked = Governor(THRESHOLDS).update(readings(free=free, used=used, in_flight=in_flight), now)
        assert after >= asked
        if after < before:
            assert after == before - 1
            assert now - last_change >= THRESHOLDS.recover_seconds
        if after is not before:
            last_change = now
        assert (governor.reason == "memory and queue are normal") == (after is Step.FULL)
        now += pause


@given(st.integers(1, 500), st.integers(1, 64), st.integers(0, 1000))
def test_each_step_leaves_no_more_than_the_one_before_and_never_nothing(in_flight, first, more):
    steps = [allowance(step, in_flight, first, first + more) for step in Step]
    assert (steps[0].in_flight, steps[0].chunk_frames) == (in_flight, first + more)
    assert [(s.fastest, s.admit) for s in steps] == [(False, True), (False, True), (True, True), (True, False)]
    for before, after in pairwise(steps):
        assert 1 <= after.in_flight <= before.in_flight
        assert first <= after.chunk_frames <= before.chunk_frames
