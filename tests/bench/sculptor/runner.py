"""The language models' backend without Triton, and the eager module that it is held against."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.families.sculptor.language_model import LanguageModelPart
from export.profiles import Profile

BACKEND = Path(__file__).resolve().parents[3] / "backends" / "language_model"
# Of a look at what is being written, in seconds: a step of the smallest model takes a millisecond.
_LOOK = 2e-4
_STEP = 128


def settings(part: LanguageModelPart, profile: Profile, rows: int) -> Any:
    """The backend's settings of a part, for so many rows at once."""
    from lm_settings import Settings

    config = part.config("model", profile)
    values = {name: value.string_value for name, value in config.parameters.items()}
    return Settings.parse(values | {"max_rows": str(rows), "patience_seconds": "86400"})


def importable() -> None:
    """Let the backend's modules be imported, as Triton's Python backend does."""
    if str(BACKEND) not in sys.path:
        sys.path.insert(0, str(BACKEND))


@contextmanager
def scheduler(graph: Any, known: Any) -> Iterator[Any]:
    """The backend's scheduler on a graph, ended afterwards."""
    from lm_sampling import sampler
    from lm_scheduler import Scheduler

    running = Scheduler(graph, known, sampler(known.sampler, known.codes))
    try:
        yield running
    finally:
        running.close()


def prompts(first_code: int, count: int, length: int, seed: int = 0) -> list[tuple[int, ...]]:
    """Random ones of the same length: text, after which even untrained models do not end at once."""
    draws = np.random.default_rng(seed)
    return [tuple(draws.integers(0, first_code // 2, length).tolist()) for _ in range(count)]


def generated(running: Any, given: Sequence[tuple[int, ...]], codes: int) -> tuple[float, float]:
    """Seconds until each prompt has its first code, and from there until all have `codes` of them."""
    from lm_generation import Bounds, Generation

    made = [
        Generation(prompt, (), Bounds(codes, codes), np.random.default_rng(row), time.monotonic())
        for row, prompt in enumerate(given)
    ]
    begin = time.perf_counter()
    for generation in made:
        running.submit(generation)
    first = _when(lambda: all(generation.codes or generation.over for generation in made))
    last = _when(lambda: all(generation.over for generation in made))
    if failures := [generation.failure for generation in made if generation.failure]:
        raise RuntimeError(f"the language model failed: {failures[0]}")
    return first - begin, last - first


def _when(done: Any) -> float:
    while not done():
        time.sleep(_LOOK)
    return time.perf_counter()


class Eager:
    """The module with its cache: each step gives a code more to all rows, the likeliest one."""

    def __init__(self, part: LanguageModelPart, rows: int, length: int, codes: int, device: str = "cpu") -> None:
        sizes = part.sizes
        capacity = -(-(length + codes) // _STEP) * _STEP
        shape = (rows, sizes.layers, sizes.key_heads, capacity, sizes.head_size)
        self.part = part
        self.keys, self.values = (torch.zeros(shape, device=device) for _ in range(2))
        self.lengths = torch.full((rows, 1), length, dtype=torch.int32, device=device)
        self.ones = torch.ones_like(self.lengths)
        self.ids = torch.full_like(self.lengths, part.vocabulary.first_code)

    def step(self) -> None:
        """One code more."""
        vocabulary = self.part.vocabulary
        with torch.inference_mode():
            logits, keys, values = self.part.module(self.ids, self.ones, self.lengths, self.keys, self.values)
            rows, at = torch.arange(len(self.ids), device=self.ids.device), self.lengths[:, 0].long()
            self.keys[rows, :, :, at] = keys[:, :, :, 0]
            self.values[rows, :, :, at] = values[:, :, :, 0]
            self.ids = (logits[:, : vocabulary.codes].argmax(1, keepdim=True) + vocabulary.first_code).to(torch.int32)
            self.lengths = self.lengths + 1
