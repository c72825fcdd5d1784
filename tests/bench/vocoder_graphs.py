"""The vocoder's graphs against each other, without a server: as published, as served, and the fast one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import table
from bench.graph_times import THREADS, Race
from export.bundle import Stage
from export.families.fastspeech2 import demo
from export.families.fastspeech2.checkpoint import load
from export.families.fastspeech2.stages import melgan_spec, sample
from export.onnx_export import export_stage

FRAMES = (64, 128, 256, 320)


def measure(repository: Path, runs: int) -> list[dict[str, Any]]:
    """Medians of interleaved runs, as `Race` takes them."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        published = Path(folder, "model.onnx")
        vocoder = load(repository.parent / demo.DIRECTORY).vocoder
        export_stage(Stage(melgan_spec(demo.VOCODER_CONFIG), vocoder, sample), published.parent)
        graphs = {
            "published": published,
            "balanced": repository / "demo_melgan" / "1" / "model.onnx",
            "fast": repository / "demo_fastmelgan" / "1" / "model.onnx",
        }
        return [row for threads in THREADS for row in _rows(graphs, threads, runs)]


def _rows(graphs: dict[str, Path], threads: int, runs: int) -> list[dict[str, Any]]:
    race = Race(graphs, threads)
    rows = []
    for frames in FRAMES:
        mel = np.random.default_rng(frames).standard_normal((1, frames, 80)).astype(np.float32)
        rows.append({"threads": threads, "frames": frames, "seconds": race.medians({"mel": mel}, runs)})
    return rows


def show(rows: list[dict[str, Any]]) -> str:
    """One table: times, and each against the one before."""
    head = ("threads", "frames", "published: ms", "balanced: ms", "fast: ms", "balanced ÷ published", "fast ÷ balanced")
    cells = []
    for row in rows:
        published, balanced, fast = (row["seconds"][name] for name in ("published", "balanced", "fast"))
        times = [f"{1000 * value:.1f}" for value in (published, balanced, fast)]
        cells.append((row["threads"], row["frames"], *times, f"{balanced / published:.2f}", f"{fast / balanced:.2f}"))
    return table(head, cells)
