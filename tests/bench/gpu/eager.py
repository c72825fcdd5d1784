"""The same modules with PyTorch on the same card: eager, and compiled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import torch

from bench.figures import ms, table
from bench.gpu.device import Device, seconds
from bench.gpu.setting import GpuSetting
from bench.gpu.stages import audio_seconds, left_out
from bench.gpu.subjects import Subject, lengths
from bench.setting import Section

BATCHES = (1, 8, 32)
# A compiled module takes half a minute for each shape, so only the stages that take most of the time are compiled.
COMPILED_BATCHES = (1, 32)
TURNS = 10


def measure(setting: GpuSetting) -> dict[str, Any]:
    """The section."""
    subjects = setting.subjects  # exported here and now, which is no part of the section's time
    deadline = setting.deadline()
    rows: list[dict[str, Any]] = []
    missed = []
    for subject in subjects:
        for batch in setting.pick(BATCHES, (1,)):
            for precision in ("fp32", "fp16"):
                for way in ("eager", "compiled"):
                    if way == "compiled" and not _compiles(subject, batch, setting):
                        continue
                    if deadline.passed:
                        missed.append(f"{subject.name}, {precision}, batch {batch}, {way}")
                        continue
                    setting.tell(f"{subject.name}, {precision}, batch {batch}, {way}")
                    rows.append(_row(subject, batch, precision, way, setting))
    return {"rows": rows, "left_out": missed}


def _compiles(subject: Subject, batch: int, setting: GpuSetting) -> bool:
    return setting.device.is_gpu and subject.is_vocoder and batch in COMPILED_BATCHES


def _row(subject: Subject, batch: int, precision: str, way: str, setting: GpuSetting) -> dict[str, Any]:
    row: dict[str, Any] = {"subject": subject.name, "precision": precision, "batch": batch, "way": way}
    sizes = lengths(subject, quick=setting.quick)
    try:
        spent, memory = _run(subject, batch, precision, way, sizes, setting)
    except Exception as error:  # a compiler that is missing, memory that is short: the next row may well work
        return row | {"seconds": None, "problem": f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"}
    audio = audio_seconds(subject, batch, setting)
    return row | {"seconds": spent, "times_real_time": audio / spent, "memory_mib": memory}


def _run(
    subject: Subject, batch: int, precision: str, way: str, sizes: Mapping[str, int], setting: GpuSetting
) -> tuple[float, float | None]:
    device = setting.device
    arrays = subject.inputs(batch, sizes)
    inputs = [torch.from_numpy(arrays[tensor.name]).to(device.kind) for tensor in subject.stage.spec.inputs]
    module = subject.stage.module.to(device.kind)
    run: Callable[..., object] = module
    if way == "compiled":
        torch._dynamo.reset()
        run = torch.compile(module, dynamic=False)
    cast: Any = torch.autocast(device.kind, torch.float16) if precision == "fp16" else contextlib.nullcontext()
    if device.is_gpu:
        torch.cuda.reset_peak_memory_stats()
    try:
        with torch.inference_mode(), cast:
            spent = waited(lambda: run(*inputs), device, setting.pick(TURNS, 1), setting.pick(3, 1))
    finally:
        subject.stage.module.to("cpu")
    memory = torch.cuda.max_memory_reserved() / 2**20 if device.is_gpu else None
    if device.is_gpu:
        del inputs
        torch.cuda.empty_cache()
    return spent, memory


def waited(run: Callable[[], object], device: Device, turns: int, warmups: int = 3) -> float:
    """Median seconds of a run with PyTorch, until the device is done with it."""

    def whole() -> None:
        run()
        if device.is_gpu:
            torch.cuda.synchronize()

    return seconds(whole, turns, warmups)


def show(result: dict[str, Any]) -> str:
    """One table."""
    head = ("stage", "precision", "batch", "way", "ms", "× real time", "MiB of PyTorch")
    lines = []
    for row in result["rows"]:
        first = (row["subject"], row["precision"], row["batch"], row["way"])
        if row["seconds"] is None:
            lines.append((*first, row["problem"], "", ""))
        else:
            memory = "–" if row["memory_mib"] is None else f"{row['memory_mib']:.0f}"
            lines.append((*first, ms(row["seconds"]), f"{row['times_real_time']:.0f}", memory))
    return table(head, lines) + left_out(result["left_out"])


SECTION = Section("eager", "The same modules with PyTorch", measure, show)
