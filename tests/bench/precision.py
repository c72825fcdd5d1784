"""`scripts/bench precision`: what each precision of a stage takes on disk and in memory, and what it loses.

The demo voice speaks real sentences; a Sambert voice of the real size and random weights speaks random units. What is
lost in float16 is measured with its rounding written out, as a card computes it and ONNX Runtime's CPU kernels do not.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil

from bench import report
from bench.figures import table
from bench.machine import machine
from export.bundle import Arrays, Bundle, Choice, Stage
from export.families import fastspeech2, sambert
from export.families.fastspeech2 import demo
from export.families.fastspeech2.calibration import SENTENCES
from export.families.sambert.untrained import write_untrained
from export.half_check import signal_to_noise, with_rounding
from export.inference import run_onnx
from export.onnx_export import export_stage
from export.rehearsal import rehearse
from export.specs import Precision

RATE = 16000


def run(root: Path, json_file: Path) -> None:
    """Measure, print the tables, and write the numbers."""
    content: dict[str, Any] = {"command": "scripts/bench precision", "machine": asdict(machine()), "voices": {}}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name, bundle, spoken in _voices(root, Path(folder)):
            rows = [row for stage in bundle.stages for row in _rows(stage, spoken, Path(folder, name))]
            content["voices"][name] = rows
            print(f"## {name}\n\n{show(rows)}\n", flush=True)
            report.write(json_file, content)


def _voices(root: Path, folder: Path) -> Iterator[tuple[str, Bundle, list[dict[str, Arrays]]]]:
    """Voices, and the inputs of their stages, by roles, for everything they say."""
    made = fastspeech2.bundle(root / demo.DIRECTORY, "demo", Choice())
    yield "demo (fastspeech2)", made, [rehearse(made.stages, units) for units in _sentences(made.symbols["phone"])]
    write_untrained(folder / "checkpoint", RATE, seed=0)
    made = sambert.bundle(folder / "checkpoint", "bench", Choice())
    yield "full size (sambert)", made, [rehearse(made.stages)]


def _sentences(symbols: dict[str, int]) -> Iterator[Arrays]:
    for line in SENTENCES.read_text(encoding="utf-8").splitlines():
        units = np.array([symbols[symbol] for symbol in line.split()], dtype=np.int32)
        yield {
            "units": units[None, :, None],
            "unit_lengths": np.array([[units.size]], dtype=np.int32),
            "pitch": np.zeros((1, 1), dtype=np.float32),
            "contour": np.ones((1, 1), dtype=np.float32),
        }


def _rows(stage: Stage, spoken: Sequence[dict[str, Arrays]], folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each file of a stage that takes part in speaking."""
    role = stage.spec.role
    inputs = [each[role] for each in spoken if role in each]
    if not inputs:
        return
    print(f"exporting {role}", flush=True)
    export_stage(stage, folder / role, inputs[0])
    exact = (folder / role / stage.spec.file_name(Precision.FP32)).read_bytes()
    for name, precision in stage.spec.files().items():
        path = folder / role / name
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            memory = pool.apply(_memory, (path, inputs[0]))
        row = {"stage": role, "precision": precision.value, "bytes": path.stat().st_size, "memory_mib": memory}
        if precision is not stage.spec.precisions[0]:
            graph = onnx.load(path)
            data = (with_rounding(graph, 1.0) if precision is Precision.FP16 else graph).SerializeToString()
            row |= _loss(exact, data, inputs)
        yield row


def _loss(exact: bytes, other: bytes, inputs: Sequence[Arrays]) -> dict[str, float]:
    """The largest error and the lowest signal-to-noise ratio over the inputs and the outputs."""
    errors, ratios = [], []
    for each in inputs:
        wanted, got = run_onnx(exact, each), run_onnx(other, each)
        errors += [float(np.abs(wanted[name] - got[name]).max()) for name in wanted]
        ratios += [signal_to_noise(wanted[name], got[name]) for name in wanted]
    return {"largest_error": max(errors), "signal_to_noise_db": min(ratios)}


def _memory(path: Path, inputs: Arrays) -> float:
    """Private MiB that a process has for one session after its first inference."""
    import onnxruntime

    process = psutil.Process()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    before = process.memory_full_info().uss
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    session.run(None, inputs)
    return float((process.memory_full_info().uss - before) / 2**20)


def show(rows: Sequence[dict[str, Any]]) -> str:
    """One table."""
    head = ("stage", "precision", "file, MiB", "session, MiB", "largest error", "signal to noise, dB")
    cells = [
        (
            row["stage"],
            row["precision"],
            f"{row['bytes'] / 2**20:.1f}",
            f"{row['memory_mib']:.0f}",
            f"{row['largest_error']:.1e}" if "largest_error" in row else "",
            f"{row['signal_to_noise_db']:.1f}" if "signal_to_noise_db" in row else "",
        )
        for row in rows
    ]
    return table(head, cells)
