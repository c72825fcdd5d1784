"""How long graphs take with ONNX Runtime alone, against each other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import onnxruntime

from export.bundle import Arrays

THREADS = (1, 2)
# Runs that are not counted.
_WARMING = 2


class Race:
    """Graphs of the same inputs that are run in turn, with so many threads."""

    def __init__(self, graphs: Mapping[str, Path], threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = ["CPUExecutionProvider"]
        self.sessions = {
            name: onnxruntime.InferenceSession(str(path), options, providers) for name, path in graphs.items()
        }
        self.clock = time.thread_time if threads == 1 else time.perf_counter

    def medians(self, inputs: Arrays, runs: int) -> dict[str, float]:
        """Seconds of a run of each: CPU time of the calling thread for one thread, wall time for two."""
        taken: dict[str, list[float]] = {name: [] for name in self.sessions}
        for turn in range(runs + _WARMING):
            for name, session in self.sessions.items():
                begin = self.clock()
                session.run(None, inputs)
                if turn >= _WARMING:
                    taken[name].append(self.clock() - begin)
        return {name: statistics.median(times) for name, times in taken.items()}
