"""The two ways to have a text spoken: streamed through the front door, and whole from the ensemble."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import tritonclient.grpc as grpcclient

from bench.setting import PATIENCE
from client import Synthesizer

VOICE = "demo"


@dataclass(frozen=True)
class Heard:
    """How audio came, in seconds from the request.

    `longest_gap` is the longest time between two pieces; `stall` is how long a listener who began to play with the
    first piece had to wait for later ones, in all. `lengths` are the seconds of audio of the pieces.
    """

    first: float
    last: float
    audio: float
    longest_gap: float
    stall: float
    lengths: list[float]


def listen(synthesizer: Synthesizer, text: str, **options: Any) -> Heard:
    """Stream a text."""
    begin = time.perf_counter()
    times: list[float] = []
    lengths: list[float] = []
    for chunk in synthesizer.stream(text, **options):
        if chunk.samples.size:
            times.append(time.perf_counter() - begin)
            lengths.append(chunk.samples.size / chunk.sample_rate)
    return heard(times, lengths)


def heard(times: list[float], lengths: list[float]) -> Heard:
    """What a listener notices of pieces that came at `times` and last `lengths` seconds."""
    gaps = [after - before for before, after in pairwise(times)]
    played = times[0]
    stall = 0.0
    for come, length in zip(times, lengths, strict=True):
        stall += max(0.0, come - played)
        played = max(played, come) + length
    return Heard(times[0], times[-1], sum(lengths), max(gaps, default=0.0), stall, lengths)


def string(name: str, value: str) -> grpcclient.InferInput:
    """An input of one string."""
    made = grpcclient.InferInput(name, [1], "BYTES")
    made.set_data_from_numpy(np.array([value.encode()], dtype=np.object_))
    return made


def whole(triton: grpcclient.InferenceServerClient, text: str) -> Heard:
    """Have the ensemble speak a text: its audio comes at once."""
    begin = time.perf_counter()
    answer = triton.infer(VOICE, [string("TEXT", text)], client_timeout=PATIENCE.total)
    samples, rate = answer.as_numpy("AUDIO"), answer.as_numpy("SAMPLE_RATE")
    elapsed = time.perf_counter() - begin
    return heard([elapsed], [samples.size / int(rate[0])])
