"""Compares modules and exported graphs with reference arrays, stage by stage.

Each stage is fed the reference's own inputs, so that errors do not add up; a family's own module says which array is
whose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from export.accuracy import Loss
from export.bundle import Arrays, Stage
from export.checkpoint_files import read_arrays
from export.errors import CheckpointError
from export.graph_files import save
from export.half_check import signal_to_noise, with_rounding
from export.inference import in_double, run_onnx
from export.onnx_export import export_stage
from export.specs import Precision

Array = npt.NDArray[Any]
Chain = list[tuple[Stage, Path]]


@dataclass(frozen=True)
class Tolerance:
    """The largest absolute error of a stage, and of the whole chain."""

    stage: float
    end_to_end: float


# Float16 has 11 bits: an error of a thousandth of the largest value in every layer. Of int8, the signal-to-noise ratio
# that a stage asks for decides, and this is against gross errors.
TOLERANCES = {
    Precision.FP32: Tolerance(1e-4, 5e-4),
    Precision.FP16: Tolerance(0.05, 0.1),
    Precision.INT8: Tolerance(1.0, 1.0),
}


@dataclass(frozen=True)
class Row:
    """One compared array: the largest absolute error of the module and of the ONNX graph, and what is allowed.

    `signal_to_noise_db` is the graph's against the reference.
    """

    stage: str
    array: str
    module_error: float
    onnx_error: float
    signal_to_noise_db: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether both errors are within the tolerance (NaN is not)."""
        return self.module_error <= self.tolerance and self.onnx_error <= self.tolerance


@dataclass(frozen=True)
class Exported:
    """Stages with the ONNX file of each in one precision, and what each loses against its float32 graph."""

    chain: Chain
    losses: Mapping[str, Loss]


# (chain, reference file, tolerance of a stage, tolerance of the whole chain) → rows
Verifier = Callable[[Chain, Path, float, float], list[Row]]


def read_reference(path: Path) -> Arrays:
    """The arrays of a reference file. Raises `CheckpointError` when it is missing or damaged."""
    try:
        return read_arrays(path)
    except CheckpointError as error:
        raise CheckpointError(f"cannot read reference: {error}") from error


def export_chain(stages: Iterable[Stage], folder: Path, precision: Precision = Precision.FP32) -> Exported:
    """Export every stage in a precision, or in its first one where it lacks that. Raises `SpecError`.

    The graphs of float16 stages have their rounding written out, since ONNX Runtime would leave it out on a CPU.
    """
    chain, losses = [], {}
    for stage in stages:
        spec = stage.spec
        path = folder / spec.role / spec.file_name(precision)
        accuracy = export_stage(stage.only((precision,)), path.parent)
        if loss := accuracy.losses.get(precision):
            losses[spec.role] = loss
        if precision is Precision.FP16:
            save(with_rounding(onnx.load(path)), path)
        chain.append((stage, path))
    return Exported(chain, losses)


def both(stage: Stage, path: Path, inputs: Arrays) -> tuple[Arrays, Arrays]:
    """A stage's outputs: the module's in float64, and the ONNX graph's."""
    return in_double(stage, inputs), run_onnx(path, inputs)


def compare(stage: str, array: str, pair: tuple[Array, Array], target: Array, tolerance: float) -> Row:
    """The largest absolute errors of module and graph; infinite where the shape differs."""
    if any(value.shape != target.shape for value in pair):
        module, graph = (0.0 if value.shape == target.shape else float("inf") for value in pair)
        return Row(stage, array, module, graph, float("-inf"), tolerance)
    module, graph = (float(np.abs(value.astype(np.float64) - target).max()) for value in pair)
    return Row(stage, array, module, graph, signal_to_noise(target, pair[1]), tolerance)
