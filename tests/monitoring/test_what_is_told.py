"""What a real server tells of its requests and of itself."""

from __future__ import annotations

import pytest
from service.own_server import eventually

COUNTS = (
    'tts_requests_total{outcome="ok"}',
    "tts_request_seconds_count",
    'tts_request_seconds_bucket{le="+Inf"}',
    "tts_queue_seconds_count",
    "tts_first_audio_seconds_count",
)
SECONDS = ("tts_request_seconds_sum", "tts_synthesis_seconds_total", "tts_first_audio_seconds_sum")


@pytest.fixture
def told(watched):
    """The value of a series, as it is written on the page."""

    def value(series):
        name, _, rest = series.partition("{")
        labels = dict(part.split("=") for part in rest.rstrip("}").split(",") if part)
        return watched.front.metric(name, **{label: text.strip('"') for label, text in labels.items()})

    return value


def test_a_request_is_counted_once_and_its_times_fit_each_other(watched, told):
    before = {series: told(series) for series in (*COUNTS, *SECONDS, "tts_audio_seconds_total")}
    speech = watched.front.synthesizer.synthesize("数一数这一句。")
    eventually(lambda: told(COUNTS[0]) > before[COUNTS[0]], "it is counted")
    grown = {series: told(series) - value for series, value in before.items()}
    assert {series: grown[series] for series in COUNTS} == dict.fromkeys(COUNTS, 1)
    assert grown["tts_audio_seconds_total"] == pytest.approx(speech.duration)
    altogether, ran, first = (grown[series] for series in SECONDS)
    assert altogether >= ran > 0
    assert altogether >= first > 0


def test_health_knows_the_models_the_memory_the_queue_and_the_step(watched):
    front = watched.front
    health = front.synthesizer.health(metrics=front.server.address.metrics)
    assert health.healthy, health.message
    assert {model.name for model in health.models if model.ready} >= {"tts", "text_frontend", "aligner", "demo_encoder"}
    assert {model.version for model in health.models if model.ready} == {"1"}
    assert 0 < health.memory.host < 1
    # One of the requests of health itself may be counted still.
    assert health.queue.waiting == 0
    assert health.degradation.name in ("full", "small", "light", "shed")
