"""Spans of requests, for an OpenTelemetry collector."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from server.errors import BadRequest

# Tells the front door where its spans go; Triton hears it on its command line.
TRACE_URL = "TTS_TRACE_URL"
DELAY_MILLISECONDS = 1000
SERVICE = "tts"
PATH = "/v1/traces"


@dataclass(frozen=True)
class Trace:
    """Traces one request in ``rate`` to the collector at ``url``, by OTLP over HTTP."""

    url: str
    rate: int = 1

    @classmethod
    def to(cls, url: str, rate: int = 1) -> Trace:
        """The same from what a user gave; an address without a path gets OTLP's. Raises ``BadRequest``."""
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
            usable = usable and parts.username is None  # everybody on the machine sees a command line
        except ValueError:
            usable = False
        if not usable or parts.query or parts.fragment:
            raise BadRequest(f"the trace address {url!r} must be like http://127.0.0.1:4318/v1/traces")
        path = parts.path if parts.path.strip("/") else PATH
        return cls(parts._replace(path=path).geturl(), rate)

    def arguments(self) -> list[str]:
        """What Triton is told."""
        settings = (
            "mode=opentelemetry",
            "level=TIMESTAMPS",
            f"rate={self.rate}",
            f"opentelemetry,url={self.url}",
            f"opentelemetry,resource=service.name={SERVICE}",
            f"opentelemetry,bsp_schedule_delay={DELAY_MILLISECONDS}",
        )
        return [f"--trace-config={setting}" for setting in settings]
