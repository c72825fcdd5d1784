"""Spans of requests, and their way to a collector."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import span_export
from span_export import SpanExporter, message
from tracing import Context, Span, Trace, TracedModels

CONTEXT = Context("a" * 32, "b" * 16)


def propagated(value):
    return json.dumps({"traceparent": value})


def test_a_request_that_triton_traces_says_where_its_spans_belong():
    assert Context.read(propagated(f"00-{'a' * 32}-{'b' * 16}-01")) == CONTEXT


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "{}",
        "not json",
        "[]",
        propagated(None),
        propagated("00-a-b-01"),
        propagated(f"00-{'a' * 32}-{'b' * 16}-00"),
        propagated(f"00-{'A' * 32}-{'b' * 16}-01"),
    ],
)
def test_a_request_that_is_not_traced_has_no_context(given):
    assert Context.read(given) is None


class Models:
    """Answers, or fails."""

    def __init__(self, error=None):
        self.error = error
        self.asked = []

    def __call__(self, model, inputs, outputs):
        self.asked.append(model)
        if self.error:
            raise self.error
        return {"x": 1}

    def dismiss(self, model, inputs, outputs):
        self.asked.append(f"dismiss {model}")

    def check(self):
        self.asked.append("check")


def test_each_call_is_a_span_under_the_request():
    spans = []
    trace = Trace(CONTEXT, spans.append)
    models = Models()
    traced = TracedModels(models, trace)
    trace.started()
    assert traced("aligner", {}, ("x",)) == {"x": 1}
    traced.dismiss("zhi_lm", {}, ())
    traced.check()
    trace.ended("ok", "")
    assert models.asked == ["aligner", "dismiss zhi_lm", "check"]
    waiting, call, request = spans
    assert [span.name for span in spans] == ["waiting", "aligner", "request"]
    assert request.context == CONTEXT
    assert call.context == waiting.context == Context(CONTEXT.trace, request.span)
    assert request.start <= waiting.start <= call.start <= call.end <= request.end
    assert (call.error, request.error) == ("", "")


def test_what_fails_says_so():
    spans = []
    trace = Trace(CONTEXT, spans.append)
    with pytest.raises(ValueError, match="no such shape"):
        TracedModels(Models(ValueError("no such shape")), trace)("aligner", {}, ())
    trace.ended("CANCELLED", "")
    assert [span.error for span in spans] == ["no such shape", "CANCELLED"]


@pytest.fixture
def collector():
    """A collector of HTTP bodies; `collector.status` is what it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.bodies.append((self.path, self.headers["Content-Type"], json.loads(body)))
            self.send_response(server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format, *args):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.bodies, server.status = [], 200
        server.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def span(number=0, error=""):
    return Span(CONTEXT, f"{number:016x}", "aligner", 5, 7, error, {"tts.outcome": "ok"})


def test_what_was_added_is_sent_in_full_by_the_end(collector, monkeypatch):
    monkeypatch.setattr(span_export, "MOST_AT_ONCE", 2)
    exporter = SpanExporter(collector.url, pytest.fail)
    for number in range(5):
        exporter.add(span(number))
    exporter.close()
    assert {(path, kind) for path, kind, _ in collector.bodies} == {("/v1/traces", "application/json")}
    sent = [span for _, _, body in collector.bodies for span in body["resourceSpans"][0]["scopeSpans"][0]["spans"]]
    assert [int(each["spanId"], 16) for each in sent] == [0, 1, 2, 3, 4]
    first = sent[0]
    assert (first["traceId"], first["parentSpanId"]) == (CONTEXT.trace, CONTEXT.span)
    assert (first["startTimeUnixNano"], first["endTimeUnixNano"]) == ("5", "7")
    assert first["status"] == {}


def test_an_error_is_the_spans_status():
    (sent,) = message([span(error="no such shape")])["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert sent["status"] == {"code": "STATUS_CODE_ERROR", "message": "no such shape"}


def test_a_collector_that_is_away_is_told_of_once_and_costs_no_request_anything(monkeypatch):
    monkeypatch.setattr(span_export, "SEND_SECONDS", 0.01)
    monkeypatch.setattr(span_export, "MOST_WAITING", 3)
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1/traces"
    told, failed = [], threading.Event()
    exporter = SpanExporter(url, lambda line: (told.append(line), failed.set()))
    for number in range(10):
        exporter.add(span(number))
    assert failed.wait(30)
    exporter.add(span())
    exporter.close()
    (line,) = told
    assert line.startswith(f"tts: spans cannot be sent to {url}: ")


def test_a_collector_that_refuses_is_told_of(collector):
    told = []
    collector.status = 503
    exporter = SpanExporter(collector.url, told.append)
    exporter.add(span())
    exporter.close()
    assert told == [f"tts: spans cannot be sent to {collector.url}: HTTP 503"]
