"""Flow, vocoder and codec: ONNX Runtime against the eager modules, batches against one by one, and what they keep."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from bench.figures import mib, number, table
from bench.interleaved import medians
from bench.processes import process
from bench.sculptor import inputs
from bench.sculptor.inputs import SHORT, USUAL, XCODEC2_RATE, Piece
from bench.sculptor.setting import THREADS, SculptorSetting
from bench.sculptor.voices import Made
from bench.setting import Section
from export.bundle import Arrays, Stage

FLOW, HIFT, XCODEC2 = "flow", "hift", "xcodec2"
# Runs of each way, and those before that do not count; a run of the full flow takes a quarter of a minute.
RUNS = {"small": (10, 1), "full": (2, 0)}
BATCHES = {"small": (1, 4), "full": (1,)}
# No two are alike.
RAGGED = {
    "small": (Piece(175, 125), Piece(60, 40), Piece(120, 75), Piece(30, 25)),
    "full": (Piece(60, 50), Piece(25, 25), Piece(40, 30)),
}
SHORT_RAGGED = (Piece(40, 40), Piece(20, 10), Piece(25, 20))


def measure(setting: SculptorSetting) -> dict[str, Any]:
    """The section."""
    rows: list[dict[str, Any]] = []
    exact: list[dict[str, Any]] = []
    memory: list[dict[str, Any]] = []
    piece = setting.pick(USUAL, SHORT)
    for size in setting.sizes:
        made = setting.voice(size)
        alone = chain(made, [piece])
        for batch in BATCHES[size]:
            pieces = [piece] * batch
            for role, given in (alone if batch == 1 else chain(made, pieces)).items():
                setting.tell(f"{size}, {role}, batch {batch}")
                taken = against_eager(made, role, given, *setting.pick(RUNS[size], (1, 0)))
                audio = sum(piece.seconds for piece in pieces)
                rows.append({"size": size, "stage": role, "batch": batch, "audio_seconds": audio, "seconds": taken})
        setting.tell(f"{size}, ragged batches")
        errors = exactness(made, setting.pick(RAGGED[size], SHORT_RAGGED))
        exact.append({"size": size, "largest_difference": errors})
        for role, given in alone.items():
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                memory.append({"size": size, "stage": role, **pool.apply(kept, (made.file(made.stage(role)), given))})
    exported = {size: setting.voice(size).seconds for size in setting.sizes}
    return {"threads": THREADS, "export_seconds": exported, "rows": rows, "exactness": exact, "memory": memory}


def chain(made: Made, pieces: Sequence[Piece]) -> dict[str, Arrays]:
    """What each stage is given for pieces: the vocoder what the flow makes, the codec clips that are as long."""
    flow = inputs.flow(pieces)
    codes = round(max(piece.seconds for piece in pieces) * XCODEC2_RATE)
    clips = inputs.xcodec2(len(pieces), codes)
    return {FLOW: flow, HIFT: {"mel": answer(session(made.file(made.stage(FLOW))), flow)}, XCODEC2: clips}


def session(file: Path, threads: int = THREADS) -> onnxruntime.InferenceSession:
    """A graph with the memory options that stages are served with."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def answer(graph: onnxruntime.InferenceSession, given: Arrays) -> Any:
    """Its one output."""
    (found,) = graph.run(None, given)
    return found


def against_eager(made: Made, role: str, given: Arrays, runs: int, warming: int) -> dict[str, float]:
    """Seconds of a run of the graph and of the module, with all cores each."""
    torch.set_num_threads(THREADS)
    stage = made.stage(role)
    ways = {"onnx": partial(answer, session(made.file(stage)), given), "eager": partial(_eager, stage, given)}
    return medians(ways, runs, warming)


def _eager(stage: Stage, given: Arrays) -> object:
    with torch.inference_mode():
        return stage.module(*(torch.from_numpy(given[tensor.name]) for tensor in stage.spec.inputs))


def exactness(made: Made, pieces: Sequence[Piece]) -> dict[str, float]:
    """The largest difference of each stage's output between a ragged batch and each piece by itself, unpadded."""
    together = chain(made, pieces)
    graphs = {role: session(made.file(made.stage(role))) for role in together}
    answers = {role: answer(graphs[role], together[role]) for role in (HIFT, XCODEC2)}
    answers[FLOW] = together[HIFT]["mel"]
    hop = made.bundle.voice.hop_length
    found = dict.fromkeys(together, 0.0)
    for row, piece in enumerate(pieces):
        own = inputs.alone(together[FLOW], row, piece)
        frames = own["positions"].shape[1]
        single = {
            FLOW: own,
            HIFT: {"mel": together[HIFT]["mel"][row : row + 1, :frames]},
            XCODEC2: {"codes": together[XCODEC2]["codes"][row : row + 1]},
        }
        known = {FLOW: frames, HIFT: frames * hop, XCODEC2: answers[XCODEC2].shape[1]}
        for role, given in single.items():
            alone, among = answer(graphs[role], given)[0], answers[role][row]
            error = float(np.abs(alone[: known[role]] - among[: known[role]]).max())
            found[role] = max(found[role], error)
    return found


def kept(file: Path, given: Arrays) -> dict[str, float | None]:
    """MiB of a process of its own: what loading adds, what a run leaves, and its peak."""
    before = process(os.getpid())
    graph = session(file)
    loaded = process(os.getpid())
    graph.run(None, given)
    after = process(os.getpid())
    assert before is not None
    assert loaded is not None
    assert after is not None
    peak = None if after.peak_mib is None else after.peak_mib - before.rss_mib
    return {
        "file_mib": sum(path.stat().st_size for path in file.parent.glob(f"{file.name}*")) / 2**20,
        "loaded_mib": loaded.rss_mib - before.rss_mib,
        "after_mib": after.rss_mib - before.rss_mib,
        "peak_mib": peak,
    }


def show(result: dict[str, Any]) -> str:
    """Tables of time, exactness and memory."""
    speeds = []
    for row in result["rows"]:
        onnx, eager = (row["seconds"][way] / row["audio_seconds"] for way in ("onnx", "eager"))
        speeds.append((row["size"], row["stage"], row["batch"], f"{onnx:.4f}", f"{eager:.4f}", f"{eager / onnx:.2f}"))
    exact = [
        (row["size"], *(f"{row['largest_difference'][role]:.1e}" for role in (FLOW, HIFT, XCODEC2)))
        for row in result["exactness"]
    ]
    memory = [
        (
            row["size"],
            row["stage"],
            number(row["file_mib"]),
            *map(mib, (row["loaded_mib"], row["after_mib"], row["peak_mib"])),
        )
        for row in result["memory"]
    ]
    exported = ", ".join(f"{size} {seconds:.0f} s" for size, seconds in result["export_seconds"].items())
    return "\n\n".join(
        [
            f"Checkpoints made and exported: {exported}.",
            f"Seconds for a second of audio (RTF), {result['threads']} threads:",
            table(("size", "stage", "batch", "ONNX Runtime", "eager", "eager ÷ ONNX Runtime"), speeds),
            "Largest difference between a ragged batch and each item alone:",
            table(("size", FLOW, HIFT, XCODEC2), exact),
            "MiB that a process of its own has for a stage (resident):",
            table(("size", "stage", "file", "loaded", "after a run", "peak"), memory),
        ]
    )


SECTION = Section("stages", "Flow, vocoder and codec", measure, show)
