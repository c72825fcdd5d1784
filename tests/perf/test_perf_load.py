"""A load becomes the command line that makes it."""

from __future__ import annotations

import json

import pytest
from bench.texts import CLOSED_LOOP
from hypothesis import given
from hypothesis import strategies as st

from perf.load import Files, Load, command, intervals, tensor_data, texts_data, write
from perf.recipes import RECIPES


def following(words, name):
    return words[words.index(name) + 1]


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path / "out", "one")


def test_clients_wait_for_their_answers(files):
    words = command(Load("throughput", "demo", 40, clients=8), "127.0.0.1:9", files)
    assert following(words, "-m") == "demo"
    assert following(words, "-u") == "127.0.0.1:9"
    assert following(words, "--concurrency-range") == "8"
    assert following(words, "--request-count") == "40"
    assert following(words, "--percentile") == "95"
    assert not {"--async", "--streaming", "--shared-memory", "--request-intervals"} & set(words)


def test_a_rate_does_not_wait(files):
    words = command(Load("rate", "demo", 40, rate=2.5), "127.0.0.1:9", files)
    assert following(words, "--request-intervals") == str(files.intervals)
    assert following(words, "--max-threads") == "1"
    assert "--async" in words
    assert "--concurrency-range" not in words


def test_a_stream_is_asked_for_as_one(files):
    words = command(Load("streaming", "tts", 40, clients=2, streaming=True), "127.0.0.1:9", files)
    assert {"--async", "--streaming"} <= set(words)


def test_shared_memory_has_room_for_the_largest_output(files):
    words = command(Load("shared-memory", "demo_melgan", 4, clients=1, shared_memory=307200), "127.0.0.1:9", files)
    assert following(words, "--shared-memory") == "system"
    assert following(words, "--output-shared-memory-size") == "307200"


def test_the_program_finds_its_input_and_no_results_of_an_earlier_run(files):
    load = Load("rate", "demo", 8, rate=4.0)
    for _ in range(2):
        write(load, files, texts_data(["你好。", "再见。"]))
        assert not files.table.exists()
        assert not files.export.exists()
        files.table.write_text("old")
        files.export.write_text("old")
    assert json.loads(files.data.read_text("utf-8")) == {
        "data": [{"TEXT": {"content": [text], "shape": [1]}} for text in ("你好。", "再见。")]
    }
    assert len(files.intervals.read_text().split()) == 8


def test_a_tensor_has_as_many_values_as_its_shape_says():
    (row,) = tensor_data("mel", (3, 4))["data"]
    assert row["mel"]["shape"] == [3, 4]
    assert len(row["mel"]["content"]) == 12


@given(st.floats(0.1, 1000), st.integers(1, 200))
def test_requests_come_at_the_very_rate(rate, count):
    steps = intervals(rate, count)
    assert len(steps) == count
    assert all(step >= 1 for step in steps)
    assert sum(steps) == pytest.approx(1e6 * count / rate, abs=count)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_no_two_loads_of_a_recipe_write_the_same_files(recipe):
    loads = recipe.loads(10, recipe.levels)
    assert len({load.name for load in loads}) == len(loads)
    assert all((load.clients is None) != (load.rate is None) for load in loads)
    assert all(load.requests >= 10 for load in loads)


def test_the_texts_are_real_ones():
    spoken = [row["TEXT"]["content"][0] for row in RECIPES["throughput"].data()["data"]]
    assert spoken == list(CLOSED_LOOP)
