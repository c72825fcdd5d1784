"""The metrics that the front door adds to the server's."""

from __future__ import annotations

import threading

import pytest
from telemetry import Telemetry


@pytest.fixture
def telemetry():
    """On families that refuse what Triton's do: a set counter, and two metrics of the same labels."""
    series, made = {}, []

    class Family:
        COUNTER, GAUGE = "counter", "gauge"

        def __init__(self, name, description, kind):
            assert description
            assert name.endswith(("_total", "_bucket", "_sum", "_count")) == (kind == self.COUNTER)
            self.name, self.kind = name, kind

        def Metric(self, labels):
            key = (self.name, *sorted(labels.items()))
            made.append(key)
            series[key] = 0.0
            family = self

            class Metric:
                def increment(self, value):
                    assert value >= 0
                    series[key] += value

                def set(self, value):
                    assert family.kind == family.GAUGE
                    series[key] = value

            return Metric()

    telemetry = Telemetry(Family)

    def read():
        telemetry.flush()
        return series

    telemetry.read, telemetry.made, telemetry.series = read, made, series
    return telemetry


def test_each_event_counts_in_its_series(telemetry):
    telemetry.ended("ok")
    telemetry.ended("UNAVAILABLE")
    telemetry.ended("ok")
    telemetry.refused("overloaded")
    telemetry.load(in_flight=3, waiting=5, oldest_wait=1.5)
    telemetry.load(in_flight=2, waiting=0, oldest_wait=0.0)
    telemetry.waited(0.5)
    telemetry.ran(2.0, altogether=2.5)
    telemetry.memory(0.5, 0.75)
    telemetry.out_of_memory()
    telemetry.out_of_memory(2)
    telemetry.step_changed(2, "LIGHT")
    telemetry.first_audio(0.25)
    telemetry.audio(1.5)
    telemetry.audio(2.0)
    telemetry.loaded("demo")
    telemetry.unloaded("demo", "idle")
    telemetry.designed("zhi")
    telemetry.revived("aligner")
    telemetry.unhealthy("aligner", True)
    seen = {series: value for series, value in telemetry.read().items() if value and "_bucket" not in series[0]}
    assert seen == {
        ("tts_requests_total", ("outcome", "ok")): 2,
        ("tts_requests_total", ("outcome", "unavailable")): 1,
        ("tts_refused_total", ("reason", "overloaded")): 1,
        ("tts_in_flight",): 2,
        ("tts_memory_used_fraction", ("where", "host")): 0.5,
        ("tts_memory_used_fraction", ("where", "gpu")): 0.75,
        ("tts_out_of_memory_total",): 3,
        ("tts_model_unhealthy", ("model", "aligner")): 1,
        ("tts_queue_seconds_sum",): 0.5,
        ("tts_queue_seconds_count",): 1,
        ("tts_request_seconds_sum",): 2.5,
        ("tts_request_seconds_count",): 1,
        ("tts_synthesis_seconds_total",): 2.0,
        ("tts_degradation_step",): 2,
        ("tts_degradation_changes_total", ("step", "light")): 1,
        ("tts_first_audio_seconds_sum",): 0.25,
        ("tts_first_audio_seconds_count",): 1,
        ("tts_audio_seconds_total",): 3.5,
        ("tts_voice_loads_total", ("voice", "demo")): 1,
        ("tts_voice_unloads_total", ("reason", "idle"), ("voice", "demo")): 1,
        ("tts_presets_designed_total", ("voice", "zhi")): 1,
        ("tts_revivals_total", ("model", "aligner")): 1,
    }


def test_a_metric_is_touched_only_by_who_flushes(telemetry):
    telemetry.ended("ok")
    telemetry.audio(1.0)
    telemetry.load(1, 2, 0.5)
    assert telemetry.series == {}
    telemetry.flush()
    assert telemetry.series[("tts_audio_seconds_total",)] == 1.0


def test_threads_that_meet_lose_no_count(telemetry):
    barrier, stop = threading.Barrier(9), threading.Event()

    def work():
        barrier.wait(10)
        for _ in range(500):
            telemetry.ended("ok")

    def flush():
        barrier.wait(10)
        while not stop.is_set():
            telemetry.flush()

    flusher = threading.Thread(target=flush)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in (flusher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    flusher.join()
    series = ("tts_requests_total", ("outcome", "ok"))
    assert telemetry.read()[series] == 4000
    assert telemetry.made.count(series) == 1


def test_what_can_be_named_is_shown_before_anything_happened(telemetry):
    telemetry.expect(["aligner"])
    shown = telemetry.read()
    assert shown[("tts_degradation_step",)] == 0
    assert shown[("tts_refused_total", ("reason", "unavailable"))] == 0
    assert shown[("tts_request_seconds_bucket", ("le", "+Inf"))] == 0
    assert shown[("tts_model_unhealthy", ("model", "aligner"))] == 0
    assert shown[("tts_revivals_total", ("model", "aligner"))] == 0
    assert set(shown.values()) == {0.0}


def test_a_histogram_counts_each_value_in_its_bucket_and_in_those_above(telemetry):
    for seconds in (0.01, 20.0, 20.1, 5000.0):
        telemetry.ran(seconds, altogether=seconds)
    shown = telemetry.read()
    buckets = {key[1][1]: value for key, value in shown.items() if key[0] == "tts_request_seconds_bucket"}
    assert (buckets["0.05"], buckets["10"], buckets["20"], buckets["30"]) == (1, 1, 2, 3)
    assert buckets["600"] == 3
    assert buckets["+Inf"] == shown[("tts_request_seconds_count",)] == 4
    assert shown[("tts_request_seconds_sum",)] == pytest.approx(5040.11)


def test_without_a_gpu_none_is_shown(telemetry):
    telemetry.memory(0.5, None)
    assert ("tts_memory_used_fraction", ("where", "gpu")) not in telemetry.read()
