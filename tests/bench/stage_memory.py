"""What a stage's process keeps after its largest request, by ONNX Runtime's memory options, and what each costs.

Every measurement has a process of its own, without a server: the options are those of the config's `parameters`.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.figures import mib, ms, table

# Parameters of the config, and whether the heap is trimmed when the stage is idle.
OPTIONS: dict[str, tuple[dict[str, str], bool]] = {
    "arena (ONNX Runtime's default)": ({}, False),
    "arena, shrunk after each run": ({"memory.enable_memory_arena_shrinkage": "cpu:0"}, False),
    "no arena": ({"enable_mem_arena": "0"}, False),
    "no arena, trimmed when idle (used)": ({"enable_mem_arena": "0"}, True),
}
STAGES = ("demo_melgan", "demo_fastmelgan", "demo_decoder")
ORDINARY, LARGEST = (1, 256), (8, 704)  # clauses, frames
UNITS = 96
IDLE_SECONDS = 5.0


def measure(repository: Path, runs: int) -> list[dict[str, Any]]:
    """A row per stage and option; the options take turns `runs` times, and medians are told."""
    context = multiprocessing.get_context("spawn")
    rows = []
    for stage in STAGES:
        found: dict[str, list[dict[str, float]]] = {name: [] for name in OPTIONS}
        for _ in range(runs):
            for name, (parameters, trims) in OPTIONS.items():
                with context.Pool(1) as pool:
                    found[name].append(pool.apply(_one, (repository, stage, parameters, trims)))
        for name, each in found.items():
            medians = {key: statistics.median(row[key] for row in each) for key in each[0]}
            rows.append({"stage": stage, "option": name, **medians})
    return rows


def _one(repository: Path, stage: str, parameters: dict[str, str], trims: bool) -> dict[str, float]:
    """One process: ordinary runs, the largest one, a while without any, an ordinary one."""
    sys.path.insert(0, str(repository.parent / "backends" / "onnxruntime"))
    import onnxruntime
    import ort_options
    from ort_heap import Heap

    config = {"parameters": {key: {"string_value": value} for key, value in parameters.items()}}
    options = ort_options.session_options(config)
    options.intra_op_num_threads = 1
    path = repository / stage / "1" / "model.onnx"
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    heap = Heap() if trims else None
    process = psutil.Process()

    def run(shape: tuple[int, int]) -> float:
        feed = _inputs(stage, *shape)
        begin = time.thread_time()
        session.run(None, feed, ort_options.run_options(config))
        if heap is not None:
            heap.used()
        return time.thread_time() - begin

    def private() -> float:
        return process.memory_full_info().uss / 2**20

    seconds = statistics.median([run(ORDINARY) for _ in range(24)][4:])
    before = private()
    run(LARGEST)
    after = private()
    time.sleep(IDLE_SECONDS)
    idle = private()
    run(ORDINARY)
    return {
        "cpu_seconds": seconds,
        "before_mib": before,
        "after_mib": after,
        "idle_mib": idle,
        "next_mib": private(),
        "peak_mib": _peak(),
    }


def _peak() -> float:
    """The most that was ever resident; unlike `getrusage`'s figure, not the parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (found,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(found.split()[1]) / 1024


def _inputs(stage: str, clauses: int, frames: int) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    if "melgan" in stage:
        return {"mel": generator.standard_normal((clauses, frames, 80)).astype(np.float32)}
    alignment = np.sort(generator.integers(0, UNITS, (clauses, frames)), axis=1)
    return {
        "hidden": generator.standard_normal((clauses, UNITS, 256)).astype(np.float32),
        "alignment": alignment.astype(np.int32),
        "frame_lengths": np.full((clauses, 1), frames - 24, dtype=np.int32),
    }


def show(rows: list[dict[str, Any]]) -> str:
    """One table."""
    head = ("stage", "memory", "CPU ms of an ordinary run", "before", "after the largest", "5 s later", "peak")
    keys = ("before_mib", "after_mib", "idle_mib", "peak_mib")
    cells = [(row["stage"], row["option"], ms(row["cpu_seconds"]), *(mib(row[key]) for key in keys)) for row in rows]
    return f"Private MiB of the process; the peak is resident.\n\n{table(head, cells)}"
