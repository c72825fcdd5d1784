"""A designed voice of CosyVoice2-0.5B's and LLaSA-1B's size: FP32 and FP16, codes per second, the real server, NaNs."""

from __future__ import annotations

import math
import multiprocessing
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bench.figures import ms, number, table
from bench.gpu import nvml
from bench.gpu.device import Device
from bench.gpu.job import Job, run_job
from bench.gpu.setting import GpuSetting
from bench.gpu.stages import left_out
from bench.sculptor import inputs, runner, served
from bench.sculptor.inputs import SHORT, USUAL, XCODEC2_RATE, Piece
from bench.sculptor.stages import FLOW, HIFT, XCODEC2
from bench.sculptor.voices import LANGUAGE_MODELS, LM, Made
from bench.setting import Section
from export.bundle import Arrays, Choice
from export.families import sculptor
from export.families.sculptor.untrained import write_untrained
from export.profile_values import PLAIN
from export.repository import write_voice
from export.specs import FLOATS, Precision

BATCHES = (1, 4, 16)
ROWS = (1, 2, 4, 8, 16)
TURNS = 5
# Ids of a prompt, and codes after it.
WORK = (256, 100)
_QUICK_WORK = (16, 4)
# What users of TensorRT engines in FP16 report is NaN now and then: so many requests, each of other lengths.
CHECKED = 64
# By clients, as CosyVoice's own Triton and TensorRT-LLM was published, on an L20: ms to the first chunk, and RTF.
UPSTREAM = {1: (220, 0.124), 2: (477, 0.102), 4: (1107, 0.092)}


def measure(setting: GpuSetting) -> dict[str, Any]:
    """The section."""
    made = setting.designed or prepare(setting)  # exported here and now, which is no part of the section's time
    deadline = setting.deadline()
    found: dict[str, Any] = {"stages": [], "language_models": [], "not_finite": {}, "left_out": []}
    for precision in FLOATS:
        steps = [
            ("stages", lambda precision=precision: _stages(setting, made, precision)),
            ("language_models", lambda precision=precision: _language_models(setting, made, precision)),
        ]
        for name, step in steps:
            if deadline.passed:
                found["left_out"].append(f"{name}, {precision.value}")
            else:
                setting.tell(f"{name}, {precision.value}")
                found[name] += step()
        setting.tell(f"requests that are not finite, {precision.value}")
        found["not_finite"][precision.value] = _apart(not_finite, *_checked(setting, made, precision))
    setting.tell("the real server")
    found["served"] = served.loaded(replace(setting, repository=made.repository), made.name)
    return found


def prepare(setting: GpuSetting) -> Made:
    """The voice with all its files, exported into an empty folder."""
    folder = setting.work / "sculptor"
    shutil.rmtree(folder, ignore_errors=True)
    repository = folder / "model_repository"
    shutil.copytree(setting.repository, repository, ignore=shutil.ignore_patterns("__pycache__", ".export-*"))
    setting.tell("exporting a designed voice of random weights: some minutes")
    write_untrained(folder / "checkpoint", seed=0, size=setting.pick("full", "small"), llama="1b")
    bundle = sculptor.bundle(folder / "checkpoint", "sculptor", Choice())
    write_voice(bundle, repository, lambda _: None)
    shutil.rmtree(folder / "checkpoint")
    return Made(setting.pick("full", "small"), bundle, repository, 0.0)


def _apart(function: Any, *arguments: Any) -> Any:
    """What a function gives in a process of its own: what it leaves on the card must not count for the next."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def _stages(setting: GpuSetting, made: Made, precision: Precision) -> list[dict[str, Any]]:
    piece = setting.pick(USUAL, SHORT)
    rows = []
    for role in (FLOW, HIFT, XCODEC2):
        stage = made.stage(role)
        if precision is not Precision.FP32 and precision not in stage.spec.precisions:
            continue
        given = {batch: _given(made, role, piece, batch) for batch in setting.pick(BATCHES, (1, 2))}
        job = Job(made.file(stage, precision), setting.device, False, given, setting.pick(TURNS, 1))
        for taken in _apart(run_job, job):
            audio = piece.seconds * taken.batch
            speed = audio / taken.seconds if taken.seconds else None
            rows.append({"stage": role, "precision": precision.value, "times_real_time": speed, **vars(taken)})
    return rows


def _given(made: Made, role: str, piece: Piece, batch: int) -> Arrays:
    if role == FLOW:
        return inputs.flow([piece] * batch)
    if role == XCODEC2:
        return inputs.xcodec2(batch, round(piece.seconds * XCODEC2_RATE))
    frames = inputs.FRAMES_PER_TOKEN * piece.tokens
    stage = made.stage(role)
    return stage.sample(batch, {axis.label: frames for axis in stage.spec.axes()}, np.random.default_rng(0))


def _language_models(setting: GpuSetting, made: Made, precision: Precision) -> list[dict[str, Any]]:
    runner.importable()
    rows = []
    for role in LANGUAGE_MODELS:
        part = made.language_model(role)
        file = made.folder(role) / part.stage.spec.file_name(precision)
        known = runner.settings(part, PLAIN, max(ROWS))
        work = setting.pick(WORK, _QUICK_WORK)
        speeds = _apart(codes_per_second, file, setting.device, known, setting.pick(ROWS, ROWS[:2]), work)
        rows += [{"model": role, "precision": precision.value, **row} for row in speeds]
    return rows


def codes_per_second(
    file: Path, device: Device, known: Any, rows: Sequence[int], work: tuple[int, int]
) -> list[dict[str, Any]]:
    """Of the backend's scheduler, by how many write at once; and the most MiB of the card."""
    from lm_graph import Graph

    before = nvml.used_mib()
    length, codes = work
    found = []
    with runner.scheduler(Graph(_session(file, device), known), known) as running:
        runner.generated(running, runner.prompts(known.first_code, 1, length), 2)
        for count in rows:
            with nvml.Watch(before_mib=before) as card:
                first, rest = runner.generated(running, runner.prompts(known.first_code, count, length), codes)
            speed = count * (codes - 1) / rest
            memory = card.usage.memory_mib
            found.append({"rows": count, "codes_per_second": speed, "first_seconds": first, "memory_mib": memory})
    return found


def _session(file: Path, device: Device) -> onnxruntime.InferenceSession:
    if device.is_gpu:
        onnxruntime.preload_dlls()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=device.providers())


def _checked(setting: GpuSetting, made: Made, precision: Precision) -> tuple[Any, ...]:
    files = {role: made.file(made.stage(role), precision) for role in (FLOW, HIFT, XCODEC2)}
    part = made.language_model(LM)
    files[LM] = made.folder(LM) / part.stage.spec.file_name(precision)
    cache = (part.sizes.layers, part.sizes.key_heads, part.sizes.head_size)
    return files, setting.device, setting.pick(CHECKED, 3), setting.pick(USUAL, SHORT), cache, len(part.module.table)


def not_finite(
    files: dict[str, Path], device: Device, requests: int, longest: Piece, cache: tuple[int, int, int], ids: int
) -> dict[str, int]:
    """Of random requests of any length up to a piece's, how many make a stage give what is no number."""
    graphs = {role: _session(file, device) for role, file in files.items()}
    draws = np.random.default_rng(0)
    layers, heads, size = cache
    found = dict.fromkeys(files, 0)
    for seed in range(requests):
        piece = Piece(*(int(draws.integers(8, most + 1)) for most in (longest.prompt, longest.tokens)))
        length = int(draws.integers(1, longest.prompt + 1))
        nothing = np.zeros((1, layers, heads, 1, size), np.float32)
        count = np.array([[length]], np.int32)
        prompt = draws.integers(0, ids, (1, length)).astype(np.int32)
        answers = {
            FLOW: graphs[FLOW].run(None, inputs.flow([piece], seed)),
            XCODEC2: graphs[XCODEC2].run(None, inputs.xcodec2(1, 2 * piece.tokens, seed)),
            LM: graphs[LM].run(
                None, {"ids": prompt, "counts": count, "lengths": 0 * count, "keys": nothing, "values": nothing}
            ),
        }
        answers[HIFT] = graphs[HIFT].run(None, {"mel": np.nan_to_num(answers[FLOW][0])})
        for role, values in answers.items():
            found[role] += not all(np.isfinite(value).all() for value in values)
    return found


def show(result: dict[str, Any]) -> str:
    """Tables of stages, language models, the server beside upstream's, and what was not finite."""
    stages = [
        (row["stage"], row["precision"], row["batch"], *_speed(row), _mib(row["memory_mib"]))
        for row in result["stages"]
    ]
    models = [
        (
            row["model"],
            row["precision"],
            row["rows"],
            number(row["codes_per_second"]),
            ms(row["first_seconds"]),
            _mib(row["memory_mib"]),
        )
        for row in result["language_models"]
    ]
    loads = []
    for row in result["served"]["loads"]:
        first, rtf = UPSTREAM[row["clients"]]
        own = (ms(row["first_p50_seconds"]), f"{row['real_time_factor']:.3f}")
        loads.append((row["clients"], own[0], first, own[1], rtf, row["refused"]))
    bad = [(precision, *row.values()) for precision, row in result["not_finite"].items()]
    names = next(iter(result["not_finite"].values()))
    return "\n\n".join(
        [
            table(("stage", "precision", "batch", "ms", "× real time", "MiB"), stages),
            table(("model", "precision", "at once", "codes per s", "first code ms", "MiB"), models),
            table(
                ("clients", "first audio ms", "upstream's on an L20", "RTF", "upstream's", "refused"),
                loads,
            ),
            served.show(result["served"]),
            f"Requests of {CHECKED} that gave what is no number:",
            table(("precision", *names), bad) + left_out(result["left_out"]),
        ]
    )


def _speed(row: dict[str, Any]) -> tuple[str, str]:
    if row["seconds"] is None:
        return row["problem"], ""
    return ms(row["seconds"]), f"{row['times_real_time']:.1f}"


def _mib(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.0f}"


SECTION = Section("sculptor", "A designed voice", measure, show)
