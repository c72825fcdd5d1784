"""An OpenTelemetry collector that keeps what it is sent."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATH = "/v1/traces"


@dataclass(frozen=True)
class Received:
    """A span, ids in the digits that they were sent in; times in ns."""

    service: str
    trace: str
    span: str
    parent: str
    name: str
    start: int
    end: int
    error: str


class Collector:
    """What has been received so far."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}{PATH}"
        self.spans: list[Received] = []

    def take(self, body: bytes) -> None:
        """One request's body, OTLP in JSON. Raises `ParseError` where it is not."""
        message = ExportTraceServiceRequest()
        # OTLP writes ids in hexadecimal digits, where protobuf's JSON has base64: they are read as that, unharmed.
        json_format.Parse(body, message)
        for resource in message.resource_spans:
            service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            for scope in resource.scope_spans:
                self.spans += [
                    Received(
                        service,
                        *(_digits(part) for part in (span.trace_id, span.span_id, span.parent_span_id)),
                        span.name,
                        span.start_time_unix_nano,
                        span.end_time_unix_nano,
                        span.status.message,
                    )
                    for span in scope.spans
                ]

    def traces(self) -> dict[str, list[Received]]:
        """The spans of each trace."""
        found: dict[str, list[Received]] = {}
        for span in list(self.spans):
            found.setdefault(span.trace, []).append(span)
        return found


def _digits(read: bytes) -> str:
    return base64.b64encode(read).decode()


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector, while this is open."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                assert self.path == PATH
                assert self.headers["Content-Type"].startswith("application/json")
                collector.take(body)
            except Exception as error:
                self.send_error(400, str(error)[:100])
                return
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
