"""The stages with ONNX Runtime alone: tensors on the device, FP32 and FP16, batches, CUDA graphs, memory, roofline."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from bench.figures import ms, table
from bench.gpu.count import CountError, Work, count
from bench.gpu.job import Job, Taken, run_job
from bench.gpu.setting import GpuSetting
from bench.gpu.subjects import Subject, lengths
from bench.setting import Section
from export.specs import Precision

BATCHES = (1, 2, 4, 8, 16, 32)
TURNS = 15


def measure(setting: GpuSetting) -> dict[str, Any]:
    """The section."""
    subjects = setting.subjects  # exported here and now, which is no part of the section's time
    deadline = setting.deadline()
    context = multiprocessing.get_context("spawn")
    batches = setting.pick(BATCHES, (1, 2))
    rows: list[dict[str, Any]] = []
    left_out = []
    for subject in subjects:
        sizes = lengths(subject, quick=setting.quick)
        inputs = {batch: subject.inputs(batch, sizes) for batch in batches}
        for precision, file in subject.files().items():
            for graphs in (False, True) if setting.device.is_gpu else (False,):
                name = f"{subject.name}, {precision.value}{', CUDA graphs' if graphs else ''}"
                if deadline.passed:
                    left_out.append(name)
                    continue
                setting.tell(name)
                job = Job(file, setting.device, graphs, inputs, setting.pick(TURNS, 2))
                with context.Pool(1) as pool:
                    taken = pool.apply(run_job, (job,))
                rows += [_row(subject, precision, job, each, setting) for each in taken]
    return {"rows": rows, "left_out": left_out}


def _row(subject: Subject, precision: Precision, job: Job, taken: Taken, setting: GpuSetting) -> dict[str, Any]:
    audio = audio_seconds(subject, taken.batch, setting)
    row = {"subject": subject.name, "precision": precision.value, "graphs": job.graphs, **asdict(taken)}
    row["times_real_time"] = audio / taken.seconds if taken.seconds else None
    return row | _roofline(subject, precision, job, taken, setting)


def audio_seconds(subject: Subject, batch: int, setting: GpuSetting) -> float:
    """Of the clauses of a batch; an encoder's are as long as the decoder's of its voice."""
    (frames,) = {
        lengths(each, quick=setting.quick)["frames"]
        for each in setting.subjects
        if each.voice == subject.voice and each.is_vocoder
    }
    return batch * frames * subject.frame_seconds


def _roofline(subject: Subject, precision: Precision, job: Job, taken: Taken, setting: GpuSetting) -> dict[str, Any]:
    """Operations and bytes of the graph at this batch, the least time they take here, and its share of the real one."""
    ceilings = setting.ceilings
    try:
        shapes = tuple((name, value.shape) for name, value in job.inputs[taken.batch].items())
        work = _work(subject.files()[Precision.FP32], shapes)
    except CountError as error:
        return {"not_counted": str(error)}
    # ONNX Runtime computes float32 on tensor cores, unless it is told not to.
    peak = ceilings.flops_per_second["fp16" if precision is Precision.FP16 else "tf32"]
    size = 2 if precision is Precision.FP16 else 4
    least = work.seconds(peak, ceilings.bytes_per_second, size)
    ratio = least / taken.seconds if taken.seconds else None
    return {"flops": work.flops, "bytes": work.elements * size, "roofline_seconds": least, "of_roofline": ratio}


@cache
def _work(file: Path, inputs: tuple[tuple[str, tuple[int, ...]], ...]) -> Work:
    return count(file, dict(inputs))


def show(result: dict[str, Any]) -> str:
    """One table: a line for each stage, precision and batch."""
    head = ("stage", "precision", "CUDA graphs", "batch", "ms", "× real time", "GFLOP", "of roofline", "MiB")
    text = table(head, [_line(row) for row in result["rows"]])
    return text + left_out(result["left_out"])


def _line(row: Mapping[str, Any]) -> Sequence[object]:
    first = (row["subject"], row["precision"], "yes" if row["graphs"] else "no", row["batch"])
    if row["seconds"] is None:
        return (*first, row["problem"], *[""] * 4)
    memory = row["memory_mib"]
    return (
        *first,
        ms(row["seconds"]),
        f"{row['times_real_time']:.0f}",
        f"{row['flops'] / 1e9:.1f}" if "flops" in row else "–",
        f"{100 * row['of_roofline']:.0f} %" if row.get("of_roofline") else "–",
        f"{memory:.0f}" if memory is not None and memory == memory else "–",
    )


def left_out(names: Sequence[str]) -> str:
    """A line about what there was no time for."""
    return f"\n\nNo time was left for: {'; '.join(names)}." if names else ""


SECTION = Section("stages", "Stages with ONNX Runtime", measure, show)
