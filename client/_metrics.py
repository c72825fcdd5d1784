"""What the server counts: a summary of its Prometheus page."""

from __future__ import annotations

import http.client
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from . import _address
from ._errors import InvalidRequest, ProtocolError, ServerUnreachable, ServiceFailed
from ._timeouts import LONGEST

STEPS = ("full", "small", "light", "shed")
"""Names of the degradation steps, from 0."""

_MOST_BYTES = 16 << 20


def step_name(step: int) -> str:
    """A degradation step's name."""
    return STEPS[step] if 0 <= step < len(STEPS) else "unknown"


@dataclass(frozen=True)
class ModelMetrics:
    """What one model did since the server started.

    ``requests`` counts those that succeeded, cached ones included; ``executions`` the batches that ``inferences``
    were run in, and ``mean_batch`` is their quotient, ``None`` before the first. The cache's counts are ``None`` for
    a model that does not use it.
    """

    model: str
    requests: int
    failures: int
    inferences: int
    executions: int
    mean_batch: float | None
    pending: int
    cache_hits: int | None
    cache_misses: int | None


@dataclass(frozen=True)
class Metrics:
    """What the service did since the server started. ``None``: this server does not count that.

    ``requests`` and ``refused`` are by outcome and by reason, ``voice_loads``, ``voice_unloads`` and ``revivals`` by
    voice or model. ``first_audio`` is the mean of seconds to the first audio, ``oldest_wait`` for how many the head of
    the queue has waited, ``synthesis_seconds`` for how many requests ran. ``memory`` is the used share, 0 to 1, of the
    ``host``'s and the ``gpu``'s. ``unhealthy`` names the models that were found dead and have not answered since.
    """

    requests: Mapping[str, int]
    in_flight: int | None
    waiting: int | None
    oldest_wait: float | None
    refused: Mapping[str, int]
    degradation_step: int | None
    audio_seconds: float | None
    synthesis_seconds: float | None
    first_audio: float | None
    voice_loads: Mapping[str, int]
    voice_unloads: Mapping[str, int]
    revivals: Mapping[str, int]
    unhealthy: tuple[str, ...]
    memory: Mapping[str, float]
    out_of_memory: int | None
    models: tuple[ModelMetrics, ...]


Page = dict[str, list[tuple[Mapping[str, str], float]]]
"""Labels and value of each series, by the metric's name without ``_total``."""


def read_metrics(address: str = "127.0.0.1:8002", *, timeout: float = 30.0) -> Metrics:
    """Ask the server at ``HOST:PORT`` for its metrics.

    Args:
        address: of the metrics' port.
        timeout: seconds to wait for it.

    Raises:
        InvalidRequest: the address or the timeout makes no sense.
        ServerUnreachable: nothing answers there.
        ServiceFailed: something else than metrics is there.
        ProtocolError: they cannot be read.
    """
    if not (math.isfinite(timeout) and timeout > 0):
        raise InvalidRequest(f"timeout must be a number of seconds above 0, got {timeout!r}")
    return summary(parse(_fetch(address, min(timeout, LONGEST))))


def parse(text: str) -> Page:
    """The series of a Prometheus page.

    Raises:
        ProtocolError: it is none.
    """
    from prometheus_client.parser import text_string_to_metric_families

    page: Page = defaultdict(list)
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if math.isfinite(sample.value):
                    page[sample.name.removesuffix("_total")].append((sample.labels, sample.value))
    except (ValueError, IndexError, KeyError) as error:
        raise ProtocolError(f"the server's metrics cannot be read: is it a Triton server? ({error})") from None
    return page


def summary(page: Page) -> Metrics:
    """What of a page is known here."""
    spoken = _sum(page, "tts_first_audio_seconds_count")
    waited = _sum(page, "tts_first_audio_seconds_sum")
    names = sorted({labels["model"] for labels, _ in page.get("nv_inference_count", ()) if "model" in labels})
    return Metrics(
        requests=_by(page, "tts_requests", "outcome"),
        in_flight=_whole(_sum(page, "tts_in_flight")),
        waiting=_whole(_sum(page, "tts_waiting")),
        oldest_wait=_sum(page, "tts_oldest_wait_seconds"),
        refused=_by(page, "tts_refused", "reason"),
        degradation_step=_whole(_sum(page, "tts_degradation_step")),
        audio_seconds=_sum(page, "tts_audio_seconds"),
        synthesis_seconds=_sum(page, "tts_synthesis_seconds"),
        first_audio=waited / spoken if waited is not None and spoken else None,
        voice_loads=_by(page, "tts_voice_loads", "voice"),
        voice_unloads=_by(page, "tts_voice_unloads", "voice"),
        revivals=_by(page, "tts_revivals", "model"),
        unhealthy=tuple(name for name, dead in _by(page, "tts_model_unhealthy", "model").items() if dead),
        memory={labels.get("where", ""): value for labels, value in page.get("tts_memory_used_fraction", ())},
        out_of_memory=_whole(_sum(page, "tts_out_of_memory")),
        models=tuple(_model(page, name) for name in names),
    )


def _model(page: Page, name: str) -> ModelMetrics:
    def count(metric: str) -> int | None:
        return _whole(_sum(page, metric, model=name))

    inferences, executions = count("nv_inference_count") or 0, count("nv_inference_exec_count") or 0
    return ModelMetrics(
        model=name,
        requests=count("nv_inference_request_success") or 0,
        failures=count("nv_inference_request_failure") or 0,
        inferences=inferences,
        executions=executions,
        mean_batch=inferences / executions if executions else None,
        pending=count("nv_inference_pending_request_count") or 0,
        cache_hits=count("nv_cache_num_hits_per_model"),
        cache_misses=count("nv_cache_num_misses_per_model"),
    )


def _sum(page: Page, metric: str, **wanted: str) -> float | None:
    """All series of a metric that have these labels, ``None`` without any: versions of a model count together."""
    values = [value for labels, value in page.get(metric, ()) if wanted.items() <= labels.items()]
    return math.fsum(values) if values else None


def _by(page: Page, metric: str, label: str) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for labels, value in page.get(metric, ()):
        found[labels.get(label, "")] += round(value)
    return dict(sorted(found.items()))


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _fetch(address: str, timeout: float) -> str:
    host, port = _address.split(address, "the metrics' address", "127.0.0.1:8002")
    connection = http.client.HTTPConnection(f"{host}:{port}", timeout=timeout)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        body = response.read(_MOST_BYTES)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise ServerUnreachable(
            f"no metrics at {address}: give the server's metrics port, usually 8002 ({reason})"
        ) from None
    except http.client.HTTPException as error:
        raise ServiceFailed(
            f"{address} does not speak HTTP: give the server's metrics port, usually 8002 ({error!r})"
        ) from None
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise ServiceFailed(
            f"{address} has no metrics (HTTP {response.status}): give the server's metrics port, usually 8002"
        )
    return body.decode(errors="replace")
