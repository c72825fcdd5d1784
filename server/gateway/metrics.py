"""What the gateway counts. The page ``/metrics`` shows it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)


class GatewayMetrics:
    """The counters of one gateway; ``registry`` holds them all.

    Routes are those that the gateway has, everything else is ``other``: a client cannot make series.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "gateway_requests", "Requests by route and status.", ("route", "status"), registry=self.registry
        )
        self.first_byte = Histogram(
            "gateway_first_byte_seconds",
            "From a request's headers to the first byte of its answer's body.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.streams = Gauge("gateway_open_streams", "Answers of audio under way.", registry=self.registry)
        self.connections = Gauge("gateway_open_connections", "Connections of clients.", registry=self.registry)
        self.refused = Counter(
            "gateway_refused", "Requests that were not passed on, by reason.", ("reason",), registry=self.registry
        )
        self.cut_off = Counter(
            "gateway_cut_off", "Answers of audio that ended early, by reason.", ("reason",), registry=self.registry
        )
