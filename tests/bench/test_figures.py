"""Summaries say what the samples say."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import report
from bench.figures import Spread, percentile, table, trend
from bench.interleaved import medians
from bench.texts import instructions, prose
from bench.ways import heard

numbers = st.floats(-1e6, 1e6)


@given(st.lists(numbers, min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_percentile_is_a_sample_that_that_share_does_not_exceed(samples, share):
    values = sorted(samples)
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values) or found == values[0]


def test_a_spread_without_samples_is_not_a_number_and_null_in_a_file():
    empty = Spread.of([])
    assert empty.count == 0
    assert math.isnan(empty.p50)
    assert report.rounded([empty.p50, 0.123456, 7]) == [None, 0.1235, 7]


@given(numbers, st.floats(-1e3, 1e3))
def test_a_trend_finds_the_line_that_samples_lie_on(start, slope):
    times = [10.0 * count for count in range(20)]
    found = trend(times, [start + slope * time for time in times])
    assert found.slope == pytest.approx(slope, abs=1e-3)
    assert found.error < 1e-3


def test_a_trend_of_noise_is_within_its_error_of_none():
    found = trend([0, 1, 2, 3, 4, 5], [5, -5, 5, -5, 5, -5])
    assert abs(found.slope) < 2 * found.error
    assert trend([0, 1], [0, 1]) is None


def test_a_listener_waits_when_a_piece_comes_after_the_last_has_been_played():
    steady = heard([0.1, 0.3, 0.5], [1.0, 1.0, 1.0])
    assert (steady.first, steady.last, steady.audio) == (0.1, 0.5, 3.0)
    assert steady.stall == 0
    assert steady.longest_gap == pytest.approx(0.2)
    # Played at 0.1, silent from 1.1 to 2.0, and from 2.5 to 3.0.
    halting = heard([0.1, 2.0, 3.0], [1.0, 0.5, 1.0])
    assert halting.stall == pytest.approx(1.4)
    assert halting.longest_gap == pytest.approx(1.9)


@given(st.integers(1, 3000), st.integers(0, 5))
def test_prose_has_as_many_characters_as_were_asked_for(characters, seed):
    text = prose(characters, seed)
    assert len(text) == characters
    assert text == prose(characters, seed)


def test_no_instruction_comes_twice():
    made = instructions()
    assert len({next(made) for _ in range(300)}) == 300


def test_a_table_has_a_line_for_each_row():
    assert table(("a", "b"), [(1, 2.5)]).splitlines() == ["| a | b |", "| --- | --- |", "| 1 | 2.5 |"]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each)))
def test_a_file_holds_what_was_written(tmp_path_factory, value):
    file = tmp_path_factory.getbasetemp() / "deep" / "report.json"
    report.write(file, {"value": value, "nothing": {}})
    assert json.loads(file.read_text("utf-8")) == report.read(file) == {"value": value, "nothing": {}}


def test_a_file_that_is_none_holds_nothing(tmp_path):
    assert report.read(tmp_path / "missing.json") == {}
    (tmp_path / "torn.json").write_text('{"command": ')
    assert report.read(tmp_path / "torn.json") == {}


def test_ways_take_turns_and_the_first_runs_do_not_count():
    ran = []
    now = 0.0
    takes = iter([90, 80, 2, 30, 1, 10, 3, 20])

    def way(name):
        def run():
            nonlocal now
            ran.append(name)
            now += next(takes)

        return run

    found = medians({"a": way("a"), "b": way("b")}, runs=3, warming=1, clock=lambda: now)
    assert ran == ["a", "b"] * 4
    assert found == {"a": 2, "b": 20}
