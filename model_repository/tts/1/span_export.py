"""Sends spans to an OpenTelemetry collector: OTLP over HTTP, in JSON, from a thread of its own."""

from __future__ import annotations

import http.client
import json
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from tracing import Span

# The variable that names the collector's address; without it nothing is traced.
URL_VARIABLE = "TTS_TRACE_URL"
SERVICE = "tts"
# Spans that wait to be sent. A collector that is away costs memory for these, and no request any time.
MOST_WAITING = 4096
MOST_AT_ONCE = 512
SEND_SECONDS = 1.0
PATIENCE_SECONDS = 5.0


class SpanExporter:
    """Takes spans from any thread and posts them to `url` about once a second; `log` hears when that fails."""

    def __init__(self, url: str, log: Callable[[str], None]) -> None:
        self._url = url
        self._log = log
        self._waiting: queue.Queue[Span] = queue.Queue(MOST_WAITING)
        self._closing = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def add(self, span: Span) -> None:
        """One more; dropped when the collector is too slow."""
        try:
            self._waiting.put_nowait(span)
        except queue.Full:
            return

    def close(self) -> None:
        """Send what waits and end."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        closing = False
        while not closing:
            # What was added before the end is sent after it.
            closing = self._closing.wait(SEND_SECONDS)
            while spans := list(self._next()):
                problem = self._post(spans)
                if problem and not self._failing:
                    self._log(f"tts: spans cannot be sent to {self._url}: {problem}")
                self._failing = bool(problem)
                if problem:
                    break

    def _next(self) -> Iterator[Span]:
        for _ in range(MOST_AT_ONCE):
            try:
                yield self._waiting.get_nowait()
            except queue.Empty:
                return

    def _post(self, spans: list[Span]) -> str:
        """What went wrong, if anything did."""
        parts = urlsplit(self._url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.netloc, timeout=PATIENCE_SECONDS)
        try:
            connection.request(
                "POST", parts.path or "/", json.dumps(message(spans)), {"Content-Type": "application/json"}
            )
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__
        finally:
            connection.close()
        return "" if status < http.client.MULTIPLE_CHOICES else f"HTTP {status}"


def message(spans: list[Span]) -> dict[str, Any]:
    """OTLP's `ExportTraceServiceRequest`."""
    resource = {"attributes": _attributes({"service.name": SERVICE})}
    scope = {"scope": {"name": "tts"}, "spans": [_span(span) for span in spans]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}


def _span(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.context.trace,
        "parentSpanId": span.context.span,
        "spanId": span.span,
        "name": span.name,
        "kind": "SPAN_KIND_INTERNAL",
        "startTimeUnixNano": str(span.start),
        "endTimeUnixNano": str(span.end),
        "attributes": _attributes(span.attributes),
        "status": {"code": "STATUS_CODE_ERROR", "message": span.error} if span.error else {},
    }


def _attributes(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]
