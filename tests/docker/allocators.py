"""What memory a process keeps in which all stages compute, as in Triton's ONNX Runtime backend, by its allocator.

`python tests/docker/allocators.py` prints a line for each way that docs/containers.md has a row of. It takes minutes
and Debian's libjemalloc2.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

REPOSITORY = Path(__file__).resolve().parents[2] / "model_repository"
JEMALLOC = {"LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"}
CHOSEN = "background_thread:true,oversize_threshold:0,dirty_decay_ms:5000,muzzy_decay_ms:0"
WAYS = {
    "default": {},
    "MALLOC_ARENA_MAX=2": {"MALLOC_ARENA_MAX": "2"},
    "jemalloc as it comes": JEMALLOC,
    "jemalloc as in the image": {**JEMALLOC, "MALLOC_CONF": CHOSEN},
}
WINDOWS = 150  # of each thread
FRAMES = (32, 64, 128, 256, 256, 256, 1024)
IDLE_SECONDS = 10.0


def mebibytes(name: str) -> int:
    """A line of this process's status."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(f"{name}:"))


def session(model: str) -> onnxruntime.InferenceSession:
    """A stage as the repository configures it."""
    options = onnxruntime.SessionOptions()
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.intra_op_num_threads = 2
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(REPOSITORY / model / "1" / "model.onnx"), options)


def vocode(vocoder: onnxruntime.InferenceSession, seed: int) -> None:
    choose = random.Random(seed)
    for _ in range(WINDOWS):
        mel = np.zeros((1, choose.choice(FRAMES), 80), np.float32)
        vocoder.run(None, {vocoder.get_inputs()[0].name: mel})


def measure() -> str:
    """Two vocoders by two threads each, and what is left of it."""
    vocoders = [session("demo_melgan"), session("demo_fastmelgan")] * 2
    begin = time.process_time()
    threads = [threading.Thread(target=vocode, args=pair) for pair in zip(vocoders, range(4), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = time.process_time() - begin
    time.sleep(IDLE_SECONDS)
    return f"peak {mebibytes('VmHWM')} MiB, then {mebibytes('VmRSS')} MiB, {used:.1f} s of processor time"


def main(arguments: Sequence[str]) -> None:
    if arguments == ["one"]:
        print(measure())
        return
    for name, variables in WAYS.items():
        command = [sys.executable, __file__, "one"]
        said = subprocess.run(command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True, check=True)
        print(f"{name}: {said.stdout.strip()}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
