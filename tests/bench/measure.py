"""The measurements of the plain benchmark: each takes a running server and gives plain numbers."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import tritonclient.grpc as grpcclient

from bench.texts import CLOSED_LOOP, TEXTS
from client import Synthesizer

STAGES = ("demo_encoder", "demo_decoder", "demo_melgan")


@dataclass(frozen=True)
class Latency:
    """Medians of one text at one client: seconds of audio, to the first and to the last of it; real-time factor."""

    text: str
    characters: int
    audio_seconds: float
    first_audio_seconds: float
    total_seconds: float
    real_time_factor: float


@dataclass(frozen=True)
class Throughput:
    """A closed loop of clients: audio seconds per second, latency, and how many requests shared an execution."""

    clients: int
    requests: int
    audio_seconds_per_second: float
    p50_seconds: float
    p95_seconds: float
    mean_batch: dict[str, float]


def latency(address: str, name: str, repeats: int) -> Latency:
    """Speak one text several times, alone."""
    with Synthesizer(address) as synthesizer:
        synthesizer.synthesize(TEXTS[name])
        answers = [synthesizer.synthesize(TEXTS[name]) for _ in range(repeats)]
    audio = answers[-1].duration
    seconds = statistics.median(answer.elapsed for answer in answers)
    first = statistics.median(answer.first_audio for answer in answers)
    return Latency(name, len(TEXTS[name]), audio, first, seconds, seconds / audio)


def throughput(address: str, clients: int, requests: int) -> Throughput:
    """`clients` clients, each sending its next request when its last is answered."""
    triton = grpcclient.InferenceServerClient(address)
    with Synthesizer(address) as synthesizer, ThreadPoolExecutor(clients) as pool:

        def speak(number: int) -> tuple[float, float]:
            begin = time.perf_counter()
            speech = synthesizer.synthesize(CLOSED_LOOP[number % len(CLOSED_LOOP)])
            return speech.duration, time.perf_counter() - begin

        list(pool.map(speak, range(2 * clients)))
        before = {stage: _counts(triton, stage) for stage in STAGES}
        begin = time.perf_counter()
        answers = list(pool.map(speak, range(requests)))
        elapsed = time.perf_counter() - begin
        after = {stage: _counts(triton, stage) for stage in STAGES}
    triton.close()
    waits = sorted(seconds for _, seconds in answers)
    batches = {stage: (after[stage][0] - before[stage][0]) / (after[stage][1] - before[stage][1]) for stage in STAGES}
    return Throughput(
        clients,
        requests,
        sum(audio for audio, _ in answers) / elapsed,
        statistics.median(waits),
        waits[int(0.95 * (len(waits) - 1))],
        {stage: round(size, 2) for stage, size in batches.items()},
    )


def _counts(triton: grpcclient.InferenceServerClient, model: str) -> tuple[int, int]:
    (found,) = triton.get_inference_statistics(model).model_stats
    return found.inference_count, found.execution_count
