"""The benchmark of the gateway: that it hears what is sent, and what it prints."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict

import pytest
from gateway.process import running

from bench import gateway
from bench.figures import Spread
from bench.ways import Heard
from client import Synthesizer

TEXT = "今天天气真好。"


def test_audio_over_http_is_as_long_as_over_grpc(service):
    with running("--server", service.address.grpc) as made, closing(gateway.Caller(made)) as caller:
        heard = caller.listen(TEXT)
        with pytest.raises(RuntimeError, match="answered 400"):
            caller.listen("")
    with Synthesizer(service.address.grpc) as synthesizer:
        assert heard.audio == pytest.approx(synthesizer.synthesize(TEXT).duration, abs=0.001)
    assert 0 < heard.first <= heard.last


def test_what_http_takes_more_is_printed_with_its_sign():
    spread = [Spread(1, seconds, seconds, seconds) for seconds in (0.1, 0.103, 0.2, 0.198)]
    printed = gateway.show([asdict(gateway.Row("a sentence", 16, 1, *spread))])
    assert "| +3.0 |" in printed
    assert "| -2.0 |" in printed


def test_a_format_costs_what_the_gateway_spent_for_a_second_of_audio():
    heard = Heard(0.1, 0.3, 0.5, 0.1, 0.0, [0.5])
    cost = gateway._cost("mp3", [heard, heard], 0.02, 2.0)
    assert (cost.processor, cost.bytes_per_second) == (0.01, 24_000)
    assert "| mp3 | 100 | 300 | 10 | 24.00 |" in gateway.show_formats([asdict(cost)])
