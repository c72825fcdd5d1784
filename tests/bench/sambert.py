"""`scripts/bench sambert`: a full-size Sambert voice of random weights, stage by stage and without a server.

Random weights cost what trained ones do: the arithmetic is the same, and durations are made to be like speech.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import psutil
import torch

from bench import report
from bench.figures import table
from bench.machine import machine
from export.bundle import Arrays, Bundle, Choice, Stage
from export.families import sambert
from export.families.sambert.untrained import write_untrained
from export.onnx_export import export_stage

RATES = (16000, 24000)
BATCHES = (1, 8)
STAGES = ("encoder", "decoder", "hifigan")
# Units of a clause of about twenty syllables.
UNITS = 48
# PyTorch's turns: of 24 kHz in batches each takes a minute.
EAGER_TURNS = 2
# What KAN-TTS takes of one thread for a second of audio at this rate and full size: acoustic model and vocoder.
UPSTREAM_RATE = 16000
UPSTREAM = {"acoustic": 0.62, "hifigan": 0.47}


def run(json_file: Path, runs: int) -> None:
    """Measure, print the tables, and write the numbers."""
    voices = []
    for rate in RATES:
        voices.append(_voice(rate, runs))
        print(f"## {rate} Hz\n\n{show(voices[-1])}\n", flush=True)
    versions = {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__}
    content = {"command": "scripts/bench sambert", "machine": asdict(machine()), "versions": versions, "voices": voices}
    report.write(json_file, content)


def _voice(rate: int, runs: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        checkpoint = Path(folder, "checkpoint")
        write_untrained(checkpoint, rate, seed=0)
        bundle = sambert.bundle(checkpoint, "bench", Choice())
        stages = {stage.spec.role: stage for stage in bundle.stages if stage.spec.role in STAGES}
        exported = {role: _export(stage, Path(folder, role)) for role, stage in stages.items()}
        sessions = {role: _session(Path(folder, role, "model.onnx")) for role in stages}
        rows = [row for batch in BATCHES for row in _rows(bundle, stages, sessions, batch, runs)]
        inputs = {batch: _inputs(bundle, stages, sessions, batch)[0] for batch in BATCHES}
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            memory = pool.apply(_memory, (folder, inputs))
    return {"sample_rate": rate, "exported": exported, "rows": rows, "memory_mib": memory}


def _export(stage: Stage, folder: Path) -> dict[str, float]:
    begin = time.perf_counter()
    accuracy = export_stage(stage, folder)
    return {
        "seconds": time.perf_counter() - begin,
        "mib": (folder / "model.onnx").stat().st_size / 2**20,
        "largest_error": accuracy.largest_error,
    }


def _memory(folder: str, inputs: dict[int, dict[str, Arrays]]) -> dict[str, float]:
    """Private MiB that a process of its own has for the three stages: loaded, and after each size of batch."""
    process = psutil.Process()

    def private() -> float:
        return process.memory_full_info().uss / 2**20

    before = private()
    sessions = {role: _session(Path(folder, role, "model.onnx")) for role in STAGES}
    found = {"loaded": private() - before}
    for batch, each in inputs.items():
        for role, session in sessions.items():
            session.run(None, each[role])
        found[f"after a batch of {batch}"] = private() - before
    return found


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _rows(
    bundle: Bundle, stages: dict[str, Stage], sessions: dict[str, Any], batch: int, runs: int
) -> list[dict[str, Any]]:
    """A stage's CPU seconds per second of audio, of the graph and, in the first turns, of the module beside it."""
    inputs, seconds = _inputs(bundle, stages, sessions, batch)
    rows = []
    for role in STAGES:
        ways: dict[str, Callable[[], object]] = {
            "onnx": lambda role=role: sessions[role].run(None, inputs[role]),
            "eager": lambda role=role: _eager(stages[role], inputs[role]),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        ways["onnx"]()
        for turn in range(runs):
            for name, way in ways.items():
                if name == "onnx" or turn < EAGER_TURNS:
                    begin = time.thread_time()
                    way()
                    taken[name].append(time.thread_time() - begin)
        medians = {name: statistics.median(times) / seconds for name, times in taken.items()}
        rows.append({"batch": batch, "stage": role, "audio_seconds": seconds, "rtf": medians})
    return rows


def _inputs(
    bundle: Bundle, stages: dict[str, Stage], sessions: dict[str, Any], batch: int
) -> tuple[dict[str, Arrays], float]:
    """Each stage's inputs as the one before it makes them, and the seconds of audio that they are."""
    voice = bundle.voice
    units = stages["encoder"].sample(batch, {"units": UNITS}, np.random.default_rng(0))
    units |= {"unit_lengths": np.full((batch, 1), UNITS, dtype=np.int32)}
    units |= {"pitch": np.zeros((batch, 1), dtype=np.float32), "contour": np.ones((batch, 1), dtype=np.float32)}
    encoded = _named(sessions["encoder"], units)
    counts = np.floor(encoded["durations"] + 0.5).astype(np.int64)
    longest = -(-(int(counts.sum(1).max()) + voice.frame_tail) // voice.frame_bucket) * voice.frame_bucket
    rows = [np.repeat(np.arange(UNITS), count) for count in counts]
    alignment = np.stack([np.pad(row, (0, longest - row.size), mode="edge") for row in rows]).astype(np.int32)
    lengths = np.array([[row.size] for row in rows], dtype=np.int32)
    frames = {"hidden": encoded["hidden"], "alignment": alignment, "frame_lengths": lengths}
    mel = _named(sessions["decoder"], frames)["mel"]
    seconds = float(lengths.sum()) * voice.hop_length / voice.sample_rate
    return {"encoder": units, "decoder": frames, "hifigan": {"mel": mel}}, seconds


def _named(session: Any, inputs: Arrays) -> Arrays:
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def _eager(stage: Stage, inputs: Arrays) -> object:
    with torch.inference_mode():
        return stage.module(*(torch.from_numpy(inputs[tensor.name]) for tensor in stage.spec.inputs))


def show(voice: dict[str, Any]) -> str:
    """Tables of what an export costs and how fast the stages are, and the memory."""
    made = [
        (role, f"{row['mib']:.1f}", f"{row['seconds']:.0f}", f"{row['largest_error']:.1e}")
        for role, row in voice["exported"].items()
    ]
    speeds = []
    for row in voice["rows"]:
        onnx, eager = row["rtf"]["onnx"], row["rtf"]["eager"]
        speeds.append((row["batch"], row["stage"], f"{onnx:.3f}", f"{eager:.3f}", f"{eager / onnx:.1f}"))
    alone = {row["stage"]: row["rtf"]["onnx"] for row in voice["rows"] if row["batch"] == 1}
    ours = {"acoustic": alone["encoder"] + alone["decoder"], "hifigan": alone["hifigan"]}
    against = ", ".join(f"{part} {theirs / ours[part]:.1f}" for part, theirs in UPSTREAM.items())
    memory = ", ".join(f"{name} {mib:.0f}" for name, mib in voice["memory_mib"].items())
    return "\n\n".join(
        [
            table(("stage", "ONNX MiB", "export s", "largest error"), made),
            "CPU seconds of one thread per second of audio:",
            table(("batch", "stage", "ONNX Runtime", "eager PyTorch", "ratio"), speeds),
            *([f"Times as fast as upstream's figures: {against}."] if voice["sample_rate"] == UPSTREAM_RATE else []),
            f"Private MiB of a process with the three stages: {memory}.",
        ]
    )
