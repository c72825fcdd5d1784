"""Compares modules and exported graphs with reference arrays, stage by stage.

Each stage is fed the reference's own inputs, so that errors do not add up; a family's own module says which array is
whose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.bundle import Arrays, Stage
from export.checkpoint_files import read_arrays
from export.errors import CheckpointError
from export.inference import in_double, run_onnx
from export.onnx_export import export_stage
from export.specs import Precision

Array = npt.NDArray[Any]
Chain = list[tuple[Stage, Path]]


@dataclass(frozen=True)
class Row:
    """One compared array: the largest absolute error of the module and of the ONNX graph, and what is allowed."""

    stage: str
    array: str
    module_error: float
    onnx_error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether both errors are within the tolerance (NaN is not)."""
        return self.module_error <= self.tolerance and self.onnx_error <= self.tolerance


# (chain, reference file, tolerance of a stage, tolerance of the whole chain) → rows
Verifier = Callable[[Chain, Path, float, float], list[Row]]


def read_reference(path: Path) -> Arrays:
    """The arrays of a reference file. Raises `CheckpointError` when it is missing or damaged."""
    try:
        return read_arrays(path)
    except CheckpointError as error:
        raise CheckpointError(f"cannot read reference: {error}") from error


def export_chain(stages: Iterable[Stage], folder: Path) -> Chain:
    """Every stage with the ONNX file that it was just exported to."""
    chain = []
    for stage in stages:
        export_stage(stage, folder / stage.spec.role)
        chain.append((stage, folder / stage.spec.role / stage.spec.file_name(Precision.FP32)))
    return chain


def both(stage: Stage, path: Path, inputs: Arrays) -> tuple[Arrays, Arrays]:
    """A stage's outputs: the module's in float64, and the ONNX graph's."""
    return in_double(stage, inputs), run_onnx(path, inputs)


def compare(stage: str, array: str, pair: tuple[Array, Array], target: Array, tolerance: float) -> Row:
    """The largest absolute errors of module and graph; infinite where the shape differs."""
    module, graph = (
        float(np.abs(value.astype(np.float64) - target).max()) if value.shape == target.shape else float("inf")
        for value in pair
    )
    return Row(stage, array, module, graph, tolerance)
