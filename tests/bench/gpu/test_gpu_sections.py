"""Every section at toy sizes on a processor."""

from __future__ import annotations

import json

import pytest

from bench.gpu import run
from bench.gpu.device import Device
from bench.gpu.setting import GpuSetting
from bench.sculptor.voices import Made
from export.bundle import Choice
from export.families import sambert as family

STAGES = {"demo.encoder", "demo.decoder", "demo.melgan", "sambert.encoder", "sambert.decoder", "sambert.hifigan"}


@pytest.fixture(scope="module")
def measured(repository, sambert, designed, tmp_path_factory):
    """The results of a quick run."""
    work = tmp_path_factory.mktemp("gpu")
    voice = Made("small", family.bundle(sambert.checkpoint, "sambert", Choice()), sambert.repository, 0.0)
    setting = GpuSetting(repository, "cpu", True, Device("cpu"), work / "work", voice, designed)
    assert run.run(setting, [], work / "gpu.json")
    return run.results(json.loads((work / "gpu.json").read_text("utf-8")))


def test_every_section_has_a_result(measured):
    assert set(measured) == {"environment", "ceilings", "stages", "eager", "served", "sculptor"}


def test_every_stage_runs_faster_than_nothing_and_slower_than_its_roofline_of_nothing(measured):
    rows = measured["stages"]["rows"]
    assert {row["subject"] for row in rows} == {*STAGES, "hifigan_v1.hifigan"}
    assert {row["batch"] for row in rows} == {1, 2}
    for row in rows:
        assert row["problem"] == ""
        assert row["times_real_time"] > 0
        assert row["flops"] > 0
        assert row["of_roofline"] > 0
    assert not measured["stages"]["left_out"]


def test_pytorch_runs_the_same_stages(measured):
    assert {row["subject"] for row in measured["eager"]["rows"]} == {*STAGES, "hifigan_v1.hifigan"}
    assert all(row["seconds"] for row in measured["eager"]["rows"])


def test_both_voices_are_served_with_and_without_batching(measured):
    rows = measured["served"]["rows"]
    loads = {(row["voice"], row["variant"]) for row in rows}
    assert loads == {(voice, way) for voice in ("demo", "sambert") for way in ("configured", "no batching", "fp32")}
    for row in rows:
        assert row["refused"] == 0
        assert row["audio_seconds_per_second"] > 0
        assert 0 < row["first_p50_seconds"] <= row["p50_seconds"]
    assert set(measured["served"]["held"]) == {"demo", "sambert"}


def test_a_designed_voice_is_measured_in_both_precisions_and_checked_for_what_is_no_number(measured):
    found = measured["sculptor"]
    forms = ("fp32", "fp16")
    stages = {(row["stage"], row["precision"]) for row in found["stages"]}
    assert {("flow", form) for form in forms} | {("hift", form) for form in forms} <= stages
    assert all(row["problem"] == "" and row["times_real_time"] > 0 for row in found["stages"])
    models = {(row["model"], row["precision"], row["rows"]) for row in found["language_models"]}
    assert models == {(model, form, rows) for model in ("lm", "llasa") for form in forms for rows in (1, 2)}
    assert all(row["codes_per_second"] > 0 for row in found["language_models"])
    assert found["not_finite"] == {form: dict.fromkeys(("flow", "hift", "xcodec2", "lm"), 0) for form in forms}
    assert [row["clients"] for row in found["served"]["loads"]] == [1, 2, 4]
    assert not found["left_out"]


@pytest.mark.gpu
def test_a_stage_computes_on_the_card_with_cuda_graphs_too(repository, tmp_path):
    setting = GpuSetting(repository, None, True, Device("cuda"), tmp_path / "work")
    assert run.run(setting, ["stages"], tmp_path / "gpu.json")
    rows = run.results(json.loads((tmp_path / "gpu.json").read_text("utf-8")))["stages"]["rows"]
    melgan = [row for row in rows if row["subject"] == "demo.melgan"]
    assert {row["graphs"] for row in melgan} == {False, True}
    assert all(row["seconds"] > 0 and row["memory_mib"] > 0 for row in melgan)
