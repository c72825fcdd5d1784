"""The front door's own metrics on the server's /metrics page.

Triton's metrics know requests and executions of models; these know what a client noticed and what was decided for it.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol


class Metric(Protocol):
    """One time series."""

    def increment(self, value: float) -> None:
        """Add `value`."""

    def set(self, value: float) -> None:
        """Make it `value`; of a gauge only."""


class Family(Protocol):
    """The series of one name."""

    def Metric(self, labels: dict[str, str]) -> Metric:
        """The series with these labels."""


# The name of a metric and its labels.
Series = tuple[str, tuple[tuple[str, str], ...]]

_COUNTERS: Mapping[str, str] = {
    "tts_requests_total": "Requests that ended, by outcome (ok or the status in small letters)",
    "tts_refused_total": "Requests refused without having run, by reason",
    "tts_degradation_changes_total": "Changes of the degradation step, by the step changed to",
    "tts_audio_seconds_total": "Seconds of audio sent",
    "tts_synthesis_seconds_total": "Seconds for which requests ran",
    "tts_out_of_memory_total": "Stages that got no memory, and processes that the kernel ended for want of it",
    "tts_voice_loads_total": "Voices loaded on demand",
    "tts_voice_unloads_total": "Voices unloaded, by reason (idle, memory, count)",
    "tts_presets_designed_total": "Presets of designed voices that were prepared in the background",
    "tts_revivals_total": "Models loaded anew because their process had died",
}
_GAUGES: Mapping[str, str] = {
    "tts_in_flight": "Requests that run",
    "tts_waiting": "Requests that wait for their turn",
    "tts_oldest_wait_seconds": "How long the head of the queue has waited, 0 without a queue",
    "tts_degradation_step": "Degradation step in force: 0 full, 1 small, 2 light, 3 shed",
    "tts_memory_used_fraction": "Used share of the host's memory and of the fullest GPU's",
    "tts_model_unhealthy": "1 from when a call has found a model dead until it answers",
}
# Triton 2.51 has counters and gauges only: a histogram is three counters, as Prometheus expects them.
_HISTOGRAMS: Mapping[str, str] = {
    "tts_request_seconds": "Seconds from the arrival of requests that ran to their end",
    "tts_queue_seconds": "Seconds for which requests waited for their turn",
    "tts_first_audio_seconds": "Seconds from requests' arrival to their first audio",
}
_BOUNDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600)
_LABELS = (*(f"{bound:g}" for bound in _BOUNDS), "+Inf")
# Series that are shown from the start, at nought: Prometheus sees no increase in one that begins at 1.
_FROM_THE_START: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "tts_requests_total": {
        "outcome": ("ok", "invalid_argument", "unavailable", "deadline_exceeded", "cancelled", "internal")
    },
    "tts_refused_total": {"reason": ("unavailable", "deadline_exceeded", "cancelled")},
    "tts_degradation_changes_total": {"step": ("full", "small", "light", "shed")},
    "tts_audio_seconds_total": {},
    "tts_synthesis_seconds_total": {},
    "tts_out_of_memory_total": {},
}


class Telemetry:
    """Counts and gauges. Also what a `VoicePool` reports to.

    `metric_family` is Triton's class `MetricFamily`. Triton 2.51 crashes when two threads touch metrics at once. So all
    threads only note what happened, and one of them passes it on by calling `flush` now and then.
    """

    def __init__(self, metric_family: Any) -> None:
        histograms = {
            f"{name}_{part}": description
            for name, description in _HISTOGRAMS.items()
            for part in ("bucket", "sum", "count")
        }
        kinds = (
            (_COUNTERS, metric_family.COUNTER),
            (histograms, metric_family.COUNTER),
            (_GAUGES, metric_family.GAUGE),
        )
        self._families: dict[str, Family] = {
            name: metric_family(name=name, description=description, kind=kind)
            for names, kind in kinds
            for name, description in names.items()
        }
        self._metrics: dict[Series, Metric] = {}
        self._lock = threading.Lock()
        self._counts: dict[Series, float] = dict.fromkeys(_first_series(), 0.0)
        unlabelled = ("tts_in_flight", "tts_waiting", "tts_oldest_wait_seconds", "tts_degradation_step")
        self._levels: dict[Series, float] = {(name, ()): 0.0 for name in unlabelled}

    def flush(self) -> None:
        """Pass on what was noted since the last time. Not before the model's first request, and from one thread."""
        with self._lock:
            counts, self._counts = self._counts, {}
            levels, self._levels = self._levels, {}
        for series, value in counts.items():
            self._metric(series).increment(value)
        for series, value in levels.items():
            self._metric(series).set(value)

    def ended(self, outcome: str) -> None:
        """A request has ended; `outcome` is "ok" or gRPC's name of its status."""
        self._count("tts_requests_total", outcome=outcome.lower())

    def refused(self, reason: str) -> None:
        """A request was refused without having run."""
        self._count("tts_refused_total", reason=reason.lower())

    def expect(self, models: Iterable[str]) -> None:
        """These models are healthy as far as is known, and none of them has been loaded anew."""
        for model in models:
            self._level("tts_model_unhealthy", 0, model=model)
            self._count("tts_revivals_total", 0, model=model)

    def load(self, in_flight: int, waiting: int, oldest_wait: float) -> None:
        """How many requests run and wait now, and for how many seconds the first of those that wait has."""
        self._level("tts_in_flight", in_flight)
        self._level("tts_waiting", waiting)
        self._level("tts_oldest_wait_seconds", oldest_wait)

    def waited(self, seconds: float) -> None:
        """A request has waited so long for its turn, whether it came or not."""
        self._observe("tts_queue_seconds", seconds)

    def ran(self, seconds: float, altogether: float) -> None:
        """A request that ran for `seconds` has ended, `altogether` seconds after it came."""
        self._count("tts_synthesis_seconds_total", seconds)
        self._observe("tts_request_seconds", altogether)

    def memory(self, host: float, gpu: float | None) -> None:
        """The used share of the host's memory and of the fullest GPU's, None without one."""
        self._level("tts_memory_used_fraction", host, where="host")
        if gpu is not None:
            self._level("tts_memory_used_fraction", gpu, where="gpu")

    def out_of_memory(self, times: int = 1) -> None:
        """A stage got no memory, or the kernel has ended so many processes to get some."""
        self._count("tts_out_of_memory_total", times)

    def unhealthy(self, model: str, dead: bool) -> None:
        """A model was found dead, or answers again."""
        self._level("tts_model_unhealthy", float(dead), model=model)

    def step(self, value: int) -> None:
        """The degradation step in force."""
        self._level("tts_degradation_step", value)

    def step_changed(self, value: int, name: str) -> None:
        """The degradation step has changed to `value`."""
        self.step(value)
        self._count("tts_degradation_changes_total", step=name.lower())

    def first_audio(self, seconds: float) -> None:
        """A request got its first audio `seconds` after it came."""
        self._observe("tts_first_audio_seconds", seconds)

    def audio(self, seconds: float) -> None:
        """So much audio was sent."""
        self._count("tts_audio_seconds_total", seconds)

    def loaded(self, voice: str) -> None:
        """A voice was loaded."""
        self._count("tts_voice_loads_total", voice=voice)

    def unloaded(self, voice: str, reason: str) -> None:
        """A voice was unloaded."""
        self._count("tts_voice_unloads_total", voice=voice, reason=reason)

    def designed(self, voice: str) -> None:
        """A preset of a voice was designed in the background."""
        self._count("tts_presets_designed_total", voice=voice)

    def revived(self, model: str) -> None:
        """A model was loaded anew."""
        self._count("tts_revivals_total", model=model)

    def _count(self, name: str, by: float = 1.0, **labels: str) -> None:
        series = (name, tuple(labels.items()))
        with self._lock:
            self._counts[series] = self._counts.get(series, 0.0) + by

    def _observe(self, histogram: str, value: float) -> None:
        reached = _LABELS[bisect_left(_BOUNDS, value) :]
        counted: dict[Series, float] = {(f"{histogram}_bucket", (("le", label),)): 1.0 for label in reached}
        counted |= {(f"{histogram}_sum", ()): max(0.0, value), (f"{histogram}_count", ()): 1.0}
        with self._lock:
            for series, by in counted.items():
                self._counts[series] = self._counts.get(series, 0.0) + by

    def _level(self, name: str, value: float, **labels: str) -> None:
        with self._lock:
            self._levels[name, tuple(labels.items())] = value

    def _metric(self, series: Series) -> Metric:
        if series not in self._metrics:
            name, labels = series
            self._metrics[series] = self._families[name].Metric(labels=dict(labels))
        return self._metrics[series]


def _first_series() -> Iterator[Series]:
    """The counters that are shown before anything has happened."""
    for name, labels in _FROM_THE_START.items():
        if not labels:
            yield name, ()
        for label, values in labels.items():
            yield from ((name, ((label, value),)) for value in values)
    for name in _HISTOGRAMS:
        yield from ((f"{name}_bucket", (("le", label),)) for label in _LABELS)
        yield from ((f"{name}_{part}", ()) for part in ("sum", "count"))
