"""The stages with ONNX Runtime alone: tensors on the device, FP32 and FP16, batches, CUDA graphs, memory, roofline."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bench.figures import ms, table
from bench.gpu import nvml
from bench.gpu.count import CountError, count
from bench.gpu.device import Device, seconds
from bench.gpu.setting import GpuSetting
from bench.gpu.subjects import Subject, lengths
from bench.setting import Section
from export.bundle import Arrays
from export.inference import run_onnx
from export.specs import Precision

BATCHES = (1, 2, 4, 8, 16, 32)
TURNS = 15


@dataclass(frozen=True)
class Job:
    """One file at several batches, for a process of its own: what it leaves in memory must not count for the next."""

    file: Path
    device: Device
    graphs: bool
    inputs: Mapping[int, Arrays]
    turns: int


@dataclass(frozen=True)
class Taken:
    """Median seconds of a run, and the most MiB of the card since before the session was made, with a context's own."""

    batch: int
    seconds: float | None
    memory_mib: float
    problem: str = ""


def run_job(job: Job) -> list[Taken]:
    """Every batch of a job, in order."""
    if job.device.is_gpu:
        onnxruntime.preload_dlls()
    before = nvml.used_mib()
    # On the CPU, as a session that records CUDA graphs has to see its final addresses in its first run.
    one = {name: value[:1] for name, value in next(iter(job.inputs.values())).items()}
    shapes = {name: value.shape[1:] for name, value in run_onnx(job.file, one).items()}
    taken = []
    session = None
    for batch, inputs in job.inputs.items():
        try:
            # A recorded graph is for one shape.
            if session is None or job.graphs:
                session = _session(job)
            with nvml.Watch(before_mib=before) as watch:
                run = _bound(session, inputs, shapes, job.device)
                spent = seconds(run, job.device, job.turns)
            taken.append(Taken(batch, spent, watch.usage.memory_mib))
        except Exception as error:  # ONNX Runtime's errors have no base of their own; the next batch may well work
            taken.append(Taken(batch, None, float("nan"), str(error).splitlines()[0][:200]))
            session = None
    return taken


def _session(job: Job) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(job.file), options, providers=job.device.providers(graphs=job.graphs))


def _bound(
    session: onnxruntime.InferenceSession, inputs: Arrays, shapes: Mapping[str, tuple[int, ...]], device: Device
) -> Callable[[], None]:
    """A run whose inputs and outputs stay on the device, at fixed addresses; `shapes` are the outputs' in a batch."""
    batch = len(next(iter(inputs.values())))
    binding = session.io_binding()
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(value, device.kind, 0))
    for name, shape in shapes.items():
        made = onnxruntime.OrtValue.ortvalue_from_shape_and_type((batch, *shape), np.float32, device.kind, 0)
        binding.bind_ortvalue_output(name, made)
    return lambda: session.run_with_iobinding(binding)


def measure(setting: GpuSetting) -> dict[str, Any]:
    """The section."""
    deadline = setting.deadline()
    context = multiprocessing.get_context("spawn")
    batches = setting.pick(BATCHES, (1, 2))
    rows: list[dict[str, Any]] = []
    left_out = []
    for subject in setting.subjects:
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
                rows += [_row(subject, precision, graphs, sizes, each, setting) for each in taken]
    return {"rows": rows, "left_out": left_out}


def _row(
    subject: Subject, precision: Precision, graphs: bool, sizes: Mapping[str, int], taken: Taken, setting: GpuSetting
) -> dict[str, Any]:
    audio = audio_seconds(subject, taken.batch, setting)
    row = {"subject": subject.name, "precision": precision.value, "graphs": graphs, **asdict(taken)}
    row["times_real_time"] = audio / taken.seconds if taken.seconds else None
    return row | _roofline(subject, precision, sizes, taken, setting)


def audio_seconds(subject: Subject, batch: int, setting: GpuSetting) -> float:
    """Of the clauses of a batch; an encoder's are as long as the decoder's of its voice."""
    (frames,) = {
        lengths(each, quick=setting.quick)["frames"]
        for each in setting.subjects
        if each.voice == subject.voice and each.is_vocoder
    }
    return batch * frames * subject.frame_seconds


def _roofline(
    subject: Subject, precision: Precision, sizes: Mapping[str, int], taken: Taken, setting: GpuSetting
) -> dict[str, Any]:
    """Operations and bytes of the graph at this batch, the least time they take here, and its share of the real one."""
    ceilings = setting.ceilings
    try:
        work = count(subject.files()[Precision.FP32], {**sizes, "batch": taken.batch})
    except CountError as error:
        return {"not_counted": str(error)}
    # ONNX Runtime computes float32 on tensor cores, unless it is told not to.
    peak = ceilings.flops_per_second["fp16" if precision is Precision.FP16 else "tf32"]
    size = 2 if precision is Precision.FP16 else 4
    least = work.seconds(peak, ceilings.bytes_per_second, size)
    ratio = least / taken.seconds if taken.seconds else None
    return {"flops": work.flops, "bytes": work.elements * size, "roofline_seconds": least, "of_roofline": ratio}


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
