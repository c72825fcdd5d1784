"""One ONNX file at several batches, in a process of its own: what it leaves in memory must not count for the next.

The process needs nothing of PyTorch, which takes longer to import than to measure here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bench.gpu import nvml
from bench.gpu.device import CPU, Device, seconds

# Valid inputs of a stage by their names.
Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """A file, the inputs for each batch, and how often each is timed."""

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
    probe = _session(job.file, [CPU])
    shapes = _shapes(probe, next(iter(job.inputs.values())))
    providers = job.device.providers(graphs=job.graphs)
    taken = []
    session = None
    for batch, inputs in job.inputs.items():
        try:
            if job.graphs:  # what is recorded is for one shape
                session = None
                session = _session(job.file, providers, _lengths(probe, inputs))
            session = session or _session(job.file, providers)
            with nvml.Watch(before_mib=before) as watch:
                run = _bound(session, inputs, shapes, job.device)
                spent = seconds(run, job.turns)
            taken.append(Taken(batch, spent, watch.usage.memory_mib))
        except Exception as error:  # ONNX Runtime's errors have no base of their own; the next batch may well work
            taken.append(Taken(batch, None, math.nan, str(error).splitlines()[0][:200]))
            session = None
    return taken


def _session(
    file: Path, providers: Sequence[Any], lengths: Mapping[str, int] | None = None
) -> onnxruntime.InferenceSession:
    """With `lengths` of the dynamic axes, what computes shapes is folded: nothing is left on the host."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    for name, length in (lengths or {}).items():
        options.add_free_dimension_override_by_name(name, length)
    return onnxruntime.InferenceSession(str(file), options, providers=list(providers))


def _lengths(session: onnxruntime.InferenceSession, inputs: Arrays) -> dict[str, int]:
    """Of the dynamic axes, by their names in the graph."""
    pairs = [pair for value in session.get_inputs() for pair in zip(value.shape, inputs[value.name].shape, strict=True)]
    return {name: length for name, length in pairs if isinstance(name, str)}


def _shapes(session: onnxruntime.InferenceSession, inputs: Arrays) -> dict[str, tuple[int, ...]]:
    """Of the outputs, without the batch. Found on the processor: a session that is to record CUDA graphs has to see its
    final addresses in its first run.
    """
    names = [output.name for output in session.get_outputs()]
    one = {name: value[:1] for name, value in inputs.items()}
    return {name: value.shape[1:] for name, value in zip(names, session.run(names, one), strict=True)}


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
