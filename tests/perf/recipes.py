"""The loads that make up the load test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bench.texts import CLOSED_LOOP

from perf.load import Load, tensor_data, texts_data

ENSEMBLE, ROUTER = "demo", "tts"
STAGE, STAGE_INPUT, STAGE_SHAPE = "demo_melgan", "mel", (256, 80)
SAMPLES_PER_FRAME = 300
BATCHES = (1, 4)


Levels = Sequence[float]


@dataclass(frozen=True)
class Recipe:
    """A part of the load test: what it tells, and its loads for a number of requests and levels of the load.

    `levels` are the usual ones: clients, or requests per second; empty where there is nothing to choose.
    """

    name: str
    title: str
    levels: Levels
    loads: Callable[[int, Levels], list[Load]]
    data: Callable[[], dict[str, Any]]


def _latency(requests: int, levels: Levels) -> list[Load]:
    return [
        Load("latency", ENSEMBLE, requests, clients=1),
        Load("latency", ROUTER, requests, clients=1, streaming=True),
    ]


def _throughput(requests: int, levels: Levels) -> list[Load]:
    return [Load("throughput", ENSEMBLE, max(requests, 2 * int(each)), clients=int(each)) for each in levels]


def _rate(requests: int, levels: Levels) -> list[Load]:
    return [Load("rate", ENSEMBLE, requests, rate=each) for each in levels]


def _streaming(requests: int, levels: Levels) -> list[Load]:
    return [
        Load("streaming", ROUTER, max(requests, 2 * int(each)), clients=int(each), streaming=True) for each in levels
    ]


def _shared_memory(requests: int, levels: Levels) -> list[Load]:
    size = STAGE_SHAPE[0] * SAMPLES_PER_FRAME * np.dtype(np.float32).itemsize
    return [
        Load("shared-memory", STAGE, requests, clients=1, batch=batch, shared_memory=shared)
        for batch in BATCHES
        for shared in (None, size)
    ]


def texts() -> dict[str, Any]:
    """Sentences of similar length, for the models that take text."""
    return texts_data(CLOSED_LOOP)


def tensor() -> dict[str, Any]:
    """A spectrogram, for the stage."""
    return tensor_data(STAGE_INPUT, STAGE_SHAPE)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("latency", "One client: the ensemble, and the router in a stream", (), _latency, texts),
        Recipe("throughput", "More and more clients at the ensemble", (1, 2, 4, 8, 16), _throughput, texts),
        Recipe("rate", "Requests at a rate (Poisson) to the ensemble", (1, 2, 4, 6, 8), _rate, texts),
        Recipe("streaming", "More and more streams from the router", (1, 2, 4, 8), _streaming, texts),
        Recipe("shared-memory", "A stage with large tensors: gRPC, system shared memory", (), _shared_memory, tensor),
    )
}
