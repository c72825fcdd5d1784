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


class _Series:
    """The series of one name, each made when its labels are first seen."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._metrics: dict[tuple[str, ...], Metric] = {}
        self._lock = threading.Lock()

    def of(self, **labels: str) -> Metric:
        key = tuple(labels.values())
        with self._lock:
            if key not in self._metrics:
                self._metrics[key] = self._family.Metric(labels=labels)
            return self._metrics[key]


_COUNTERS: Mapping[str, str] = {
    "tts_requests_total": "Requests that ended, by outcome (ok or the status in small letters)",
    "tts_refused_total": "Requests refused without having run, by reason",
    "tts_degradation_changes_total": "Changes of the degradation step, by the step changed to",
    "tts_audio_seconds_total": "Seconds of audio sent",
    "tts_first_audio_seconds_total": "Seconds from requests' arrival to their first audio, summed",
    "tts_first_audio_total": "Requests that got a first audio",
    "tts_voice_loads_total": "Voices loaded on demand",
    "tts_voice_unloads_total": "Voices unloaded, by reason (idle, memory, count)",
    "tts_revivals_total": "Models loaded anew because their process had died",
}
_GAUGES: Mapping[str, str] = {
    "tts_in_flight": "Requests that run",
    "tts_waiting": "Requests that wait for their turn",
    "tts_degradation_step": "Degradation step in force: 0 full, 1 small, 2 light, 3 shed",
}


class Telemetry:
    """Counts and gauges; thread-safe. Also what a `VoicePool` reports to.

    `metric_family` is Triton's class `MetricFamily`. Triton lets no thread but the server's own touch a metric before
    the model's first request.
    """

    def __init__(self, metric_family: Any) -> None:
        kinds = ((_COUNTERS, metric_family.COUNTER), (_GAUGES, metric_family.GAUGE))
        self._series = {
            name: _Series(metric_family(name=name, description=description, kind=kind))
            for names, kind in kinds
            for name, description in names.items()
        }

    def ended(self, outcome: str) -> None:
        """A request has ended; `outcome` is "ok" or gRPC's name of its status."""
        self._count("tts_requests_total", outcome=outcome.lower())

    def refused(self, reason: str) -> None:
        """A request was refused without having run."""
        self._count("tts_refused_total", reason=reason.lower())

    def load(self, in_flight: int, waiting: int) -> None:
        """How many requests run and wait now."""
        self._series["tts_in_flight"].of().set(in_flight)
        self._series["tts_waiting"].of().set(waiting)

    def step(self, value: int) -> None:
        """The degradation step in force."""
        self._series["tts_degradation_step"].of().set(value)

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

    def revived(self, model: str) -> None:
        """A model was loaded anew."""
        self._count("tts_revivals_total", model=model)

    def _count(self, name: str, by: float = 1.0, **labels: str) -> None:
        self._series[name].of(**labels).increment(by)
