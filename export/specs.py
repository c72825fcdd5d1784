"""What a stage takes and gives, declared once.

A `StageSpec` is the only source of a stage's ONNX input and output names, its dynamic axes, its TensorRT profiles and
its `config.pbtxt`. Axis 0 of every stage tensor is the batch and is not listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum


class DType(str, Enum):
    """Element types, by their Triton names."""

    FP32 = "FP32"
    INT16 = "INT16"
    INT32 = "INT32"
    STRING = "STRING"


@dataclass(frozen=True)
class Axis:
    """A dynamic axis: its label and the smallest, the usual and the largest length a plan is built for."""

    label: str
    minimum: int
    optimum: int
    maximum: int

    def scaled(self, label: str, factor: int) -> Axis:
        """The axis that is `factor` times as long, as samples are to frames."""
        return Axis(label, self.minimum * factor, self.optimum * factor, self.maximum * factor)


@dataclass(frozen=True)
class TensorSpec:
    """Name, type and axes of a tensor; an axis is a fixed length or an `Axis`."""

    name: str
    dtype: DType
    axes: tuple[Axis | int, ...]
    optional: bool = False

    @property
    def dims(self) -> tuple[int, ...]:
        """Lengths as Triton writes them: -1 where the axis is dynamic."""
        return tuple(-1 if isinstance(axis, Axis) else axis for axis in self.axes)


@dataclass(frozen=True)
class Warmup:
    """A request that Triton runs through a stage before it is ready: a batch, and a length for each dynamic axis."""

    batch: int
    lengths: dict[str, int]


@dataclass(frozen=True)
class StageSpec:
    """One ONNX stage of a voice.

    `role` is the suffix of the Triton model's name (`encoder` makes `demo_encoder`). `max_queue_delay_us` is how long
    the batcher waits for company. A `cached` stage's answers are kept in Triton's response cache.
    """

    role: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    max_batch_size: int = 8
    max_queue_delay_us: int = 0
    cached: bool = False
    warmups: tuple[Warmup, ...] = ()
    session: dict[str, str] = field(default_factory=dict)

    def axes(self) -> Iterator[Axis]:
        """Every dynamic axis once, in order of appearance."""
        seen: set[str] = set()
        for tensor in (*self.inputs, *self.outputs):
            for axis in tensor.axes:
                if isinstance(axis, Axis) and axis.label not in seen:
                    seen.add(axis.label)
                    yield axis
