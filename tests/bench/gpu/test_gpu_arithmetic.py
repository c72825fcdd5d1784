"""Samples, loops and goals become the right figures."""

from __future__ import annotations

import math
import threading

import pytest
from tritonclient.grpc import model_config_pb2

from bench.gpu import goals, nvml, run, served
from bench.gpu.device import CPU, CUDA, Device
from bench.gpu.nvml import Sample, Usage, Watch
from bench.loops import loop
from bench.offer import Asked


def test_usage_is_the_mean_of_the_samples_and_the_most_memory_above_what_was_there():
    usage = Usage.of([Sample(0.2, 1000.0), Sample(0.8, 3500.0), Sample(0.5, 3000.0)], before_mib=800.0)
    assert usage.busy == pytest.approx(0.5)
    assert usage.busiest == 0.8
    assert usage.memory_mib == 2700.0


def test_memory_that_others_gave_back_meanwhile_is_not_below_nothing():
    assert Usage.of([Sample(0.0, 700.0)], before_mib=800.0).memory_mib == 0.0


def test_without_a_card_nothing_is_known(monkeypatch):
    def missing():
        raise nvml.pynvml.NVMLError(nvml.pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(nvml.pynvml, "nvmlInit", missing)
    with Watch() as watch:
        pass
    assert math.isnan(watch.usage.busy)
    assert math.isnan(nvml.used_mib())


def test_a_watch_samples_until_it_is_left():
    seen = threading.Event()
    samples = iter([Sample(0.0, 100.0), Sample(0.5, 150.0)])

    def read():
        found = next(samples, Sample(1.0, 300.0))
        if found.busy == 1.0:
            seen.set()
        return found

    with Watch(read) as watch:
        assert seen.wait(10)
    assert watch.usage.busiest == 1.0
    assert watch.usage.memory_mib == 200.0


def asked(sent, heard, ended, samples, status="OK"):
    return Asked(sent, sent, ended, status, "", samples, heard)


def test_a_loop_is_measured_from_its_first_sending_to_its_last_answer():
    found = loop(
        [asked(10.0, 10.1, 11.0, 16000), asked(10.0, 10.3, 12.0, 32000), asked(11.0, None, 14.0, 0, "UNAVAILABLE")],
        sample_rate=16000,
    )
    assert found.audio_seconds_per_second == pytest.approx(3.0 / 4.0)
    assert (found.requests, found.refused) == (3, 1)
    assert found.p50_seconds == pytest.approx(1.5)
    assert found.first_p50_seconds == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("waits", "refused", "most"),
    [
        ({1: 0.1, 3: 0.5, 8: 0.99, 16: 1.5}, 0, 8),
        ({1: 0.1, 3: 1.0, 8: 0.5}, 0, 1),
        ({1: 2.0}, 0, 0),
        ({1: 0.1, 3: 0.1}, 1, 0),
        ({1: math.nan}, 0, 0),
    ],
)
def test_clients_are_held_as_far_as_every_smaller_number_is(waits, refused, most):
    rows = [{"clients": clients, "p95_seconds": wait, "refused": refused} for clients, wait in waits.items()]
    assert served.held(reversed(rows)) == most


@pytest.fixture
def copied(tmp_path):
    """A repository of a stage and a model that is none."""
    stage = model_config_pb2.ModelConfig(
        name="stage", backend="onnxruntime", max_batch_size=8, default_model_filename="model.fp16.onnx"
    )
    stage.dynamic_batching.max_queue_delay_microseconds = 500
    other = model_config_pb2.ModelConfig(name="router", backend="python")
    for config, places in ((stage, ("config.pbtxt", "configs/h100.pbtxt")), (other, ("config.pbtxt",))):
        for place in places:
            file = tmp_path / "repository" / config.name / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(str(config))

    def read(variant):
        folder = served.changed(tmp_path / "repository", tmp_path / "changed", variant)
        parse = served.text_format.Parse
        return {
            file.relative_to(folder).as_posix(): parse(file.read_text(), model_config_pb2.ModelConfig())
            for file in folder.rglob("*.pbtxt")
        }

    return read


def test_a_copy_without_batching_takes_one_request_at_a_time_in_every_profile(copied):
    found = copied(served.SINGLE)
    assert set(found) == {"stage/config.pbtxt", "stage/configs/h100.pbtxt", "router/config.pbtxt"}
    for name in ("stage/config.pbtxt", "stage/configs/h100.pbtxt"):
        assert not found[name].HasField("dynamic_batching")
        assert (found[name].max_batch_size, found[name].default_model_filename) == (8, "model.fp16.onnx")


def test_a_copy_in_float_serves_the_first_file(copied):
    found = copied(served.FLOAT)
    assert found["stage/configs/h100.pbtxt"].default_model_filename == "model.onnx"
    assert found["stage/configs/h100.pbtxt"].HasField("dynamic_batching")


def test_what_is_configured_is_served_as_it_is(copied):
    assert copied(served.CONFIGURED)["stage/config.pbtxt"].default_model_filename == "model.fp16.onnx"


@pytest.fixture
def results():
    def row(variant, clients, throughput):
        loads = {"audio_seconds_per_second": throughput, "first_p50_seconds": 0.015, "gpu_busy": math.nan}
        return {"voice": "demo", "variant": variant, "clients": clients, **loads}

    stage = {"subject": "hifigan_v1.hifigan", "precision": "fp16", "batch": 32}
    return {
        "stages": {"rows": [stage | {"times_real_time": 2900.0}, stage | {"times_real_time": 3100.0}]},
        "served": {
            "rows": [row("configured", 1, 90.0), row("configured", 32, 900.0), row("no batching", 32, 300.0)],
            "held": {"demo": 16},
            "memory": [{"variant": "configured", "card_mib": 700.0}, {"variant": "fp32", "card_mib": 1000.0}],
        },
    }


def test_goals_are_judged_by_the_figures(results):
    verdicts = {goal.text.split(":")[-1].strip(): goal.met(results) for goal in goals.GOALS}
    assert verdicts["times real time"] is True  # by the better of two ways
    assert verdicts["audio s/s"] is False
    assert verdicts["first audio, s"] is True
    assert verdicts["batching gain"] is True
    assert verdicts["clients held at P95 below 1 s"] is True
    assert verdicts["memory of FP16 over FP32"] is False
    assert verdicts["speed of FP16 over FP32"] is None


def test_what_was_not_measured_is_no_verdict(results):
    assert [goal.met({}) for goal in goals.GOALS] == [None] * len(goals.GOALS)
    assert goals.stage(results, "hifigan_v1.hifigan", "fp32", 32) is None
    assert "not measured" in run.goals({})
    assert "Riva" in run.goals({})


def test_cuda_graphs_are_asked_for_on_a_card_only():
    assert Device("cpu").providers(graphs=True) == [CPU]
    name, options = Device("cuda").providers(graphs=True)[0]
    assert (name, options["enable_cuda_graph"]) == (CUDA, "1")
    assert "enable_cuda_graph" not in Device("cuda").providers()[0][1]
