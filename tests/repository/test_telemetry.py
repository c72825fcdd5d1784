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
            assert name.endswith("_total") == (kind == self.COUNTER)
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
    telemetry.load(in_flight=3, waiting=5)
    telemetry.load(in_flight=2, waiting=0)
    telemetry.step_changed(2, "LIGHT")
    telemetry.first_audio(0.25)
    telemetry.audio(1.5)
    telemetry.audio(2.0)
    telemetry.loaded("demo")
    telemetry.unloaded("demo", "idle")
    telemetry.designed("zhi")
    telemetry.revived("aligner")
    assert telemetry.read() == {
        ("tts_requests_total", ("outcome", "ok")): 2,
        ("tts_requests_total", ("outcome", "unavailable")): 1,
        ("tts_refused_total", ("reason", "overloaded")): 1,
        ("tts_in_flight",): 2,
        ("tts_waiting",): 0,
        ("tts_degradation_step",): 2,
        ("tts_degradation_changes_total", ("step", "light")): 1,
        ("tts_first_audio_seconds_total",): 0.25,
        ("tts_first_audio_total",): 1,
        ("tts_audio_seconds_total",): 3.5,
        ("tts_voice_loads_total", ("voice", "demo")): 1,
        ("tts_voice_unloads_total", ("reason", "idle"), ("voice", "demo")): 1,
        ("tts_presets_designed_total", ("voice", "zhi")): 1,
        ("tts_revivals_total", ("model", "aligner")): 1,
    }


def test_a_metric_is_touched_only_by_who_flushes(telemetry):
    telemetry.ended("ok")
    telemetry.audio(1.0)
    telemetry.load(1, 2)
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


def test_what_has_no_labels_is_shown_before_anything_happened(telemetry):
    assert telemetry.read()[("tts_degradation_step",)] == 0
    assert set(telemetry.read().values()) == {0.0}
