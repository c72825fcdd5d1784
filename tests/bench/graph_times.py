"""How long graphs take with ONNX Runtime alone, against each other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import onnxruntime

from bench.interleaved import medians
from export.bundle import Arrays

THREADS = (1, 2)


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
        ways = {name: partial(session.run, None, inputs) for name, session in self.sessions.items()}
        return medians(ways, runs, clock=self.clock)
