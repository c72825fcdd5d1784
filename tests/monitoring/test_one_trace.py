"""One request is one trace, from Triton's door through every stage."""

from __future__ import annotations

import time

import pytest
from service.own_server import eventually

from client import InvalidRequest

STAGES = {"text_frontend", "demo_encoder", "aligner", "demo_decoder", "postprocess"}
VOCODERS = {"demo_melgan", "demo_fastmelgan"}


@pytest.fixture
def trace(watched):
    """What a request leaves: `trace(request)` gives the spans of the one trace that begins with it."""

    def follow(request):
        begin = time.time_ns()
        request()

        def fresh():
            # Those of earlier requests may be on their way still.
            traces = watched.collector.traces()
            return {key: spans for key, spans in traces.items() if min(span.start for span in spans) >= begin}

        def whole():
            # Triton and the front door send theirs when it suits them.
            return any({"InferRequest", "request"} <= {span.name for span in spans} for spans in fresh().values())

        eventually(whole, "the trace is sent")
        (spans,) = fresh().values()
        return spans

    return follow


def test_a_request_is_one_trace_through_every_stage(watched, trace):
    spans = trace(lambda: watched.front.synthesizer.synthesize("今天天气真好。"))
    assert {span.service for span in spans} == {"tts"}
    names = {span.name for span in spans}
    assert names - VOCODERS >= {"InferRequest", "tts", "request", "waiting"} | STAGES
    assert names & VOCODERS
    (root,) = [span for span in spans if not span.parent]
    assert root.name == "InferRequest"
    assert {span.parent for span in spans} - {""} <= {span.span for span in spans}
    (request,) = [span for span in spans if span.name == "request"]
    for span in spans:
        if span.parent == request.span:
            assert request.start <= span.start <= span.end <= request.end, span
    assert not any(span.error for span in spans)


def test_a_request_that_fails_says_so_in_its_trace(watched, trace):
    def fail():
        with pytest.raises(InvalidRequest):
            watched.front.synthesizer.synthesize("……")

    (request,) = [span for span in trace(fail) if span.name == "request"]
    assert request.error
