"""What perf_analyzer writes is read as it is meant."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from bench.figures import Spread

from perf import table
from perf.load import Load
from perf.plot import plot
from perf.results import Request, Result, exported, reported, result, summary
from perf.tool import PerfError

# Written by perf_analyzer; of the audio a thousandth was kept, and nothing of the events.
DATA = Path(__file__).resolve().parents[1] / "data" / "perf"


def content(name):
    return json.loads((DATA / name).read_text("utf-8"))


def test_the_table_of_an_ensemble_ends_where_those_of_its_models_begin():
    found = reported((DATA / "ensemble.csv").read_text("utf-8"))
    assert 0 < found["p50_reported_seconds"] <= found["p95_reported_seconds"]
    assert 0 < found["compute_seconds"] < found["p95_reported_seconds"]


def test_a_column_that_is_not_there_is_not_a_number():
    assert math.isnan(reported("Concurrency,p50 latency,p95 latency\n1,20,30\n")["queue_seconds"])


def test_an_ensemble_answers_once():
    requests = exported(content("ensemble.json"))
    assert len(requests) == 4
    for request in requests:
        assert request.first == request.last > 0
        assert request.audio_seconds == pytest.approx(0.0034, abs=0.0006)


def test_latency_agrees_with_what_the_program_reports():
    requests = exported(content("ensemble.json"))
    most = reported((DATA / "ensemble.csv").read_text("utf-8"))["p95_reported_seconds"]
    assert max(request.last for request in requests) == pytest.approx(most, abs=1e-3)


def test_a_stream_has_its_first_audio_before_its_last():
    for request in exported(content("stream.json")):
        assert 0 < request.first < request.last


def test_the_empty_response_that_ends_a_stream_is_no_audio():
    (first, *_) = content("stream.json")["experiments"][0]["requests"]
    assert not isinstance(first["response_outputs"][-1]["AUDIO"], list)
    samples = sum(len(each["AUDIO"]) for each in first["response_outputs"][:-1])
    assert exported(content("stream.json"))[0].audio_seconds == pytest.approx(samples / 24000)


def test_rates_are_over_the_time_from_the_first_request_to_the_last_response():
    made = summary([Request(10.0, 0.1, 1.0, 3.0), Request(11.0, 0.3, 3.0, 5.0)], {})
    assert made.requests_per_second == pytest.approx(2 / 4)
    assert made.audio_seconds_per_second == pytest.approx(8 / 4)
    assert made.first.p50 == pytest.approx(0.2)
    assert made.latency.most == 3.0


@pytest.mark.parametrize("text", ["", "{}", '{"experiments": []}', '{"experiments": [{"requests": []}]}'])
def test_a_damaged_export_is_one_line(tmp_path, text):
    (tmp_path / "export.json").write_text(text)
    with pytest.raises(PerfError, match="perf_analyzer"):
        result(DATA / "ensemble.csv", tmp_path / "export.json")


@pytest.fixture
def rows():
    spread = Spread.of([0.1, 0.2])
    found = Result(2, 1.5, 4.5, spread, spread, {"queue_seconds": 0.001, "compute_seconds": math.nan})
    return [
        (Load("throughput", "demo", 2, clients=1), found),
        (Load("rate", "demo", 2, rate=2.0), found),
        (Load("streaming", "tts", 2, clients=2, streaming=True), found),
        (Load("shared-memory", "demo_melgan", 2, clients=1, batch=4, shared_memory=8), found),
    ]


def test_the_summary_has_a_line_for_each_load(tmp_path, rows):
    table.write(rows, tmp_path / "deep" / "summary.csv")
    with (tmp_path / "deep" / "summary.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["recipe"] for line in lines] == [load.recipe for load, _ in rows]
    assert lines[0]["clients"] == "1"
    assert lines[0]["audio_seconds_per_second"] == "4.5"
    assert lines[0]["p50_ms"] == "150.00"
    assert lines[3]["shared_memory"] == "system"


def test_the_tables_for_people_name_the_load(rows):
    shown = table.show(rows).splitlines()
    assert len(shown) == 2 + len(rows)
    assert "2 per second" in shown[3]
    assert "1 client, batch 4, shared memory" in shown[5]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_picture_is_made_of_whatever_was_measured(tmp_path, rows, count):
    plot(rows[:count], tmp_path / "summary.png")
    assert (tmp_path / "summary.png").read_bytes().startswith(b"\x89PNG")
