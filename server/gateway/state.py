"""How the service is: ``/health`` and ``/metrics``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Generic, Literal, TypeVar

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from client import Health
from client._health import measured

from .service import Serving

PROBE_SECONDS = 10.0
"""How long the result of a synthesis counts: /health costs no more than one in that time, however often it is asked."""

PROBE_PATIENCE = 20.0
"""Seconds within which every voice must have spoken. A server that is only busy does in that time."""

READ_SECONDS = 1.0
"""How long the server's metrics count."""

READ_PATIENCE = 2.0
"""Seconds within which a server's metrics must be there."""

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
    server: str
    healthy: bool
    message: str
    first_audio: float | None
    elapsed: float | None
    audio: float | None


class Queue(BaseModel):
    """Requests that run, that wait, and seconds that the head of the queue has waited."""

    in_flight: int
    waiting: int
    oldest_wait: float


class StepDown(BaseModel):
    """How far the server has stepped down: 0 is not at all."""

    step: int
    name: str


class Memory(BaseModel):
    """The used share of the memory, 0 to 1."""

    host: float
    gpu: float | None


class HealthAnswer(BaseModel):
    """Whether the service speaks. What the servers' metrics tell is null where they cannot be read.

    Of several servers, the queue is that of all, and the rest that of the one which is worst off.
    """

    healthy: bool
    message: str
    version: str
    voices: list[VoiceState]
    queue: Queue | None
    degradation: StepDown | None
    memory: Memory | None


class LiveAnswer(BaseModel):
    """That the gateway itself answers."""

    live: Literal[True]


def router() -> APIRouter:
    """The routes."""
    routes = APIRouter()
    spoken: Kept[Health] = Kept(PROBE_SECONDS)
    read: Kept[list[Health]] = Kept(READ_SECONDS)

    @routes.get("/health", responses={503: {"model": HealthAnswer, "description": "A voice does not speak."}})
    async def health(service: Serving, response: Response) -> HealthAnswer:
        """Whether every voice speaks, tried by a real synthesis not longer ago than ten seconds."""
        found = await spoken.get(lambda: service.patient.health(timeout=PROBE_PATIENCE))
        servers = await read.get(lambda: _measured(found, service.settings.metrics_server))
        response.status_code = 200 if found.healthy else 503
        response.headers["cache-control"] = "no-store"
        return _answer(found, servers)

    @routes.get("/health/live")
    async def live() -> LiveAnswer:
        """Whether the gateway answers; it asks the server nothing."""
        return LiveAnswer(live=True)

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def metrics(service: Serving) -> Response:
        """What the gateway counts, for Prometheus."""
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return routes


async def _measured(health: Health, metrics: str | None) -> list[Health]:
    """Each server's health with what its metrics tell now."""
    servers = health.servers or (health,)
    return await asyncio.gather(*(asyncio.to_thread(measured, one, metrics, READ_PATIENCE) for one in servers))


def _answer(health: Health, servers: Sequence[Health]) -> HealthAnswer:
    queues = [one.queue for one in servers if one.queue]
    steps = [one.degradation for one in servers if one.degradation]
    memories = [one.memory for one in servers if one.memory]
    gpus = [memory.gpu for memory in memories if memory.gpu is not None]
    queue = degradation = memory = None
    if queues:
        queue = Queue(
            in_flight=sum(one.in_flight for one in queues),
            waiting=sum(one.waiting for one in queues),
            oldest_wait=max(one.oldest_wait for one in queues),
        )
    if steps:
        worst = max(steps, key=lambda one: one.step)
        degradation = StepDown(step=worst.step, name=worst.name)
    if memories:
        memory = Memory(host=max(one.host for one in memories), gpu=max(gpus, default=None))
    return HealthAnswer(
        healthy=health.healthy,
        message=health.message,
        version=health.version,
        voices=[VoiceState.model_validate(asdict(voice)) for voice in health.voices],
        queue=queue,
        degradation=degradation,
        memory=memory,
    )
