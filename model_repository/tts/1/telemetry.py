"""The front door's own metrics on the server's /metrics page.

Triton's metrics know requests and executions of models; these know what a client noticed and what was decided for it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
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
    "tts_first_audio_seconds_total": "Seconds from requests' arrival to their first audio, summed",
    "tts_first_audio_total": "Requests that got a first audio",
    "tts_voice_loads_total": "Voices loaded on demand",
    "tts_voice_unloads_total": "Voices unloaded, by reason (idle, memory, count)",
    "tts_presets_designed_total": "Presets of designed voices that were prepared in the background",
    "tts_revivals_total": "Models loaded anew because their process had died",
}
_GAUGES: Mapping[str, str] = {
    "tts_in_flight": "Requests that run",
    "tts_waiting": "Requests that wait for their turn",
    "tts_degradation_step": "Degradation step in force: 0 full, 1 small, 2 light, 3 shed",
}
_UNLABELLED = ("tts_audio_seconds_total", "tts_first_audio_seconds_total", "tts_first_audio_total")


class Telemetry:
    """Counts and gauges. Also what a `VoicePool` reports to.

    `metric_family` is Triton's class `MetricFamily`. Triton 2.51 crashes when two threads touch metrics at once. So all
    threads only note what happened, and one of them passes it on by calling `flush` now and then.
    """

    def __init__(self, metric_family: Any) -> None:
        kinds = ((_COUNTERS, metric_family.COUNTER), (_GAUGES, metric_family.GAUGE))
        self._families: dict[str, Family] = {
            name: metric_family(name=name, description=description, kind=kind)
            for names, kind in kinds
            for name, description in names.items()
        }
        self._metrics: dict[Series, Metric] = {}
        self._lock = threading.Lock()
        # What has no labels is shown from the start, at nought.
        self._counts: dict[Series, float] = {(name, ()): 0.0 for name in _UNLABELLED}
        self._levels: dict[Series, float] = {(name, ()): 0.0 for name in _GAUGES}

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

    def load(self, in_flight: int, waiting: int) -> None:
        """How many requests run and wait now."""
        self._level("tts_in_flight", in_flight)
        self._level("tts_waiting", waiting)

    def step(self, value: int) -> None:
        """The degradation step in force."""
        self._level("tts_degradation_step", value)

    def step_changed(self, value: int, name: str) -> None:
        """The degradation step has changed to `value`."""
        self.step(value)
        self._count("tts_degradation_changes_total", step=name.lower())

    def first_audio(self, seconds: float) -> None:
        """A request got its first audio `seconds` after it came."""
        self._count("tts_first_audio_seconds_total", seconds)
        self._count("tts_first_audio_total")

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

    def _level(self, name: str, value: float) -> None:
        with self._lock:
            self._levels[name, ()] = value

    def _metric(self, series: Series) -> Metric:
        if series not in self._metrics:
            name, labels = series
            self._metrics[series] = self._families[name].Metric(labels=dict(labels))
        return self._metrics[series]
