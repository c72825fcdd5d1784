"""How the service is: ``/health`` and ``/metrics``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Generic, Literal, TypeVar

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from client import Health, Metrics, SpeechError, read_metrics
from client._metrics import STEPS

from .service import Service, Serving

PROBE_SECONDS = 10.0
"""How long the result of a synthesis counts: /health costs no more than one in that time, however often it is asked."""

PROBE_PATIENCE = 20.0
"""Seconds within which every voice must have spoken. A server that is only busy does in that time."""

READ_SECONDS = 1.0
"""How long the server's metrics count."""

READ_PATIENCE = 2.0
"""Seconds within which the server's metrics must be there."""

T = TypeVar("T")


class Kept(Generic[T]):
    """A value that is fetched when it is asked for, but not while one is fetched, nor for ``seconds`` afterwards.

    It belongs to one event loop.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._fetching: asyncio.Task[T] | None = None
        self._done = 0.0

    async def get(self, fetch: Callable[[], Awaitable[T]]) -> T:
        """The value, of ``fetch`` if there is none that counts still. Who is cancelled here takes it from nobody."""
        if self._fetching is None or (self._fetching.done() and time.monotonic() - self._done >= self._seconds):
            self._fetching = asyncio.create_task(self._timed(fetch))
        return await asyncio.shield(self._fetching)

    async def _timed(self, fetch: Callable[[], Awaitable[T]]) -> T:
        try:
            return await fetch()
        finally:
            self._done = time.monotonic()


class VoiceState(BaseModel):
    """How one voice did: seconds to the first and to the last sample, and seconds of audio."""

    voice: str
    healthy: bool
    message: str
    first_audio: float | None
    elapsed: float | None
    audio: float | None


class Queue(BaseModel):
    """Requests that run, that wait, and seconds that the one which came first has waited."""

    in_flight: int | None
    waiting: int | None
    oldest_wait: float | None


class Degradation(BaseModel):
    """How far the server has stepped down: 0 is not at all."""

    step: int
    name: str


class Memory(BaseModel):
    """Used memory, as fractions of all."""

    host: float | None
    gpu: float | None


class HealthAnswer(BaseModel):
    """Whether the service speaks. What the server's metrics tell is null where they cannot be read."""

    healthy: bool
    message: str
    version: str
    voices: list[VoiceState]
    queue: Queue | None
    degradation: Degradation | None
    memory: Memory | None


class LiveAnswer(BaseModel):
    """That the gateway itself answers."""

    live: Literal[True]


def router() -> APIRouter:
    """The routes."""
    routes = APIRouter()
    spoken: Kept[Health] = Kept(PROBE_SECONDS)
    counted: Kept[Metrics | None] = Kept(READ_SECONDS)

    @routes.get("/health", responses={503: {"model": HealthAnswer, "description": "A voice does not speak."}})
    async def health(service: Serving, response: Response) -> HealthAnswer:
        """Whether every voice speaks, tried by a real synthesis not longer ago than ten seconds."""
        found = await spoken.get(lambda: service.patient.health(timeout=PROBE_PATIENCE))
        metrics = await counted.get(lambda: _metrics(service))
        response.status_code = 200 if found.healthy else 503
        response.headers["cache-control"] = "no-store"
        return _answer(found, metrics)

    @routes.get("/health/live")
    async def live() -> LiveAnswer:
        """Whether the gateway answers; it asks the server nothing."""
        return LiveAnswer(live=True)

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def metrics(service: Serving) -> Response:
        """What the gateway counts, for Prometheus."""
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return routes


async def _metrics(service: Service) -> Metrics | None:
    address = service.settings.metrics_server
    if address is None:
        return None
    try:
        return await asyncio.to_thread(read_metrics, address, timeout=READ_PATIENCE)
    except SpeechError:
        return None


def _answer(health: Health, metrics: Metrics | None) -> HealthAnswer:
    queue = degradation = None
    if metrics is not None:
        queue = Queue(in_flight=metrics.in_flight, waiting=metrics.waiting, oldest_wait=None)
        degradation = _degradation(metrics.degradation_step)
    return HealthAnswer(
        healthy=health.healthy,
        message=health.message,
        version=health.version,
        voices=[VoiceState.model_validate(asdict(voice)) for voice in health.voices],
        queue=queue,
        degradation=degradation,
        memory=None,
    )


def _degradation(step: int | None) -> Degradation | None:
    if step is None:
        return None
    return Degradation(step=step, name=STEPS[step] if 0 <= step < len(STEPS) else str(step))
