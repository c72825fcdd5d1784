"""What a healthy voice is: one that speaks a short sentence for a plausible time, and not silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from . import _address
from ._errors import InvalidRequest, ServiceError, SpeechError
from ._metrics import Metrics, read_metrics, step_name
from ._models import Degradation, Health, MemoryUse, ModelState, QueueState, Voice, VoiceHealth
from ._request import Request
from ._speech import Speech

PLAUSIBLE_SECONDS = (0.3, 10.0)
METRICS_SECONDS = 5.0
"""How long the metrics page is waited for: what it tells is welcome, and not what health is."""

SENTENCES = {"zh": "今天天气真好。", "en": "The weather is nice today."}


def probe(voice: Voice) -> Request:
    """The request that tries ``voice``."""
    language = next((tag[:2].lower() for tag in voice.languages if tag[:2].lower() in SENTENCES), "zh")
    return Request(text=SENTENCES[language], voice=voice.name)


def spoke(voice: Voice, speech: Speech) -> VoiceHealth:
    """How ``voice`` did, given what it said."""
    low, high = PLAUSIBLE_SECONDS
    message = "speaks"
    if not low <= speech.duration <= high:
        message = f"spoke for {speech.duration:.2f} s where {low} to {high} s are plausible"
    elif not np.any(speech.samples):
        message = "was silent"
    elif speech.voice not in ("", voice.name):
        message = f"was answered by voice {speech.voice}"
    return VoiceHealth(voice.name, message == "speaks", message, speech.first_audio, speech.elapsed, speech.duration)


def failed(voice: Voice, error: SpeechError) -> VoiceHealth:
    """How ``voice`` did, given that it failed."""
    return VoiceHealth(voice.name, False, str(error))


def summary(server: str, version: str, voices: Sequence[VoiceHealth], models: Sequence[ModelState]) -> Health:
    """The service's health from its voices'."""
    listed = tuple(sorted(models, key=lambda model: (model.name, model.version)))
    ill = [f"voice {voice.voice}: {voice.message}" for voice in voices if not voice.healthy]
    if not voices:
        return Health(False, "the server has no voice ready: load one", server, version, models=listed)
    known = tuple(replace(voice, server=server) for voice in voices)
    return Health(not ill, "; ".join(ill) or "every voice speaks", server, version, known, listed)


def together(server: str, each: Sequence[Health]) -> Health:
    """The health of several servers, which is well when each is."""
    ill = [f"{health.server}: {health.message}" for health in each if not health.healthy]
    version = next((health.version for health in each if health.version), "")
    voices = tuple(voice for health in each for voice in health.voices)
    message = "; ".join(ill) or "every voice speaks on every server"
    return Health(not ill, message, server, version, voices, servers=tuple(each))


def unreachable(server: str, error: SpeechError) -> Health:
    """The health of a service that could not even be asked."""
    return Health(False, str(error), server)


def measured(health: Health, metrics: str | None, seconds: float) -> Health:
    """``health`` with what the server's metrics page tells, as far as it can be read within ``seconds``.

    Args:
        health: of one server.
        metrics: the page's ``HOST:PORT``, or ``:PORT`` for one at the server's own host; ``None`` to leave it be.
        seconds: what is left of the time.

    Raises:
        InvalidRequest: ``metrics`` is no such address.
    """
    if metrics is None:
        return health
    address = page_of(health.server, metrics)
    if address is None or seconds <= 0:
        return health
    try:
        found = read_metrics(address, timeout=min(seconds, METRICS_SECONDS))
    except ServiceError:
        return health
    return replace(health, memory=_memory(found), queue=_queue(found), degradation=_degradation(found))


def page_of(server: str, metrics: str) -> str | None:
    """The address of a server's metrics page; ``None`` where the server's own host is not known.

    Raises:
        InvalidRequest: ``metrics`` is neither ``HOST:PORT`` nor ``:PORT``.
    """
    if not isinstance(metrics, str) or not metrics.startswith(":"):
        _address.split(metrics, "the metrics' address", "127.0.0.1:8002")
        return metrics
    _, port = _address.split(f"host{metrics}", "the metrics' address", ":8002", ":PORT")
    try:
        host, _ = _address.split(server, "server", "127.0.0.1:8001")
    except InvalidRequest:  # a name that stands for servers
        return None
    return f"{host}:{port}"


def _memory(found: Metrics) -> MemoryUse | None:
    return MemoryUse(found.memory["host"], found.memory.get("gpu")) if "host" in found.memory else None


def _queue(found: Metrics) -> QueueState | None:
    if found.in_flight is None or found.waiting is None:
        return None
    return QueueState(found.in_flight, found.waiting, found.oldest_wait or 0.0)


def _degradation(found: Metrics) -> Degradation | None:
    step = found.degradation_step
    return None if step is None else Degradation(step, step_name(step))
