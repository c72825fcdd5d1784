"""The device that is measured, and how time is taken on it. Imported by every measuring process: without PyTorch."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
# The search and the growth of memory that the GPU profiles ask for (export/profile_values.py).
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}


@dataclass(frozen=True)
class Device:
    """`kind` is "cuda" (the first card) or "cpu", for PyTorch and ONNX Runtime alike."""

    kind: str

    @property
    def is_gpu(self) -> bool:
        return self.kind == "cuda"

    def providers(self, *, graphs: bool = False) -> list[Any]:
        """ONNX Runtime's execution providers; with `graphs`, a session records its first run and replays it."""
        if not self.is_gpu:
            return [CPU]
        return [(CUDA, {"device_id": "0", **_CUDA_OPTIONS, **({"enable_cuda_graph": "1"} if graphs else {})}), CPU]


def seconds(run: Callable[[], object], turns: int, warmups: int = 3) -> float:
    """Median wall time of a run that returns when it is done."""
    taken = []
    for turn in range(warmups + turns):
        begin = time.perf_counter()
        run()
        if turn >= warmups:
            taken.append(time.perf_counter() - begin)
    return statistics.median(taken)
