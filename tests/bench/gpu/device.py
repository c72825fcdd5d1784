"""The device that is measured, and how time is taken on it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
# The search and the growth of memory that the GPU profiles ask for (export/profile_values.py).
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}


@dataclass(frozen=True)
class Device:
    """`kind` is "cuda" (the first card) or "cpu"."""

    kind: str

    @property
    def is_gpu(self) -> bool:
        return self.kind == "cuda"

    @property
    def torch(self) -> torch.device:
        return torch.device(self.kind)

    def synchronize(self) -> None:
        """Wait until the device has done what it was told."""
        if self.is_gpu:
            torch.cuda.synchronize()

    def providers(self, *, graphs: bool = False) -> list[Any]:
        """ONNX Runtime's execution providers; with `graphs`, a session records its first run and replays it."""
        if not self.is_gpu:
            return [CPU]
        return [(CUDA, {"device_id": "0", **_CUDA_OPTIONS, **({"enable_cuda_graph": "1"} if graphs else {})}), CPU]


def seconds(run: Callable[[], object], device: Device, turns: int, warmups: int = 3) -> float:
    """Median wall time of a run, each waited for."""
    taken = []
    for turn in range(warmups + turns):
        device.synchronize()
        begin = time.perf_counter()
        run()
        device.synchronize()
        if turn >= warmups:
            taken.append(time.perf_counter() - begin)
    return statistics.median(taken)
