"""What a stage takes and gives, declared once.

A `StageSpec` is the only source of a stage's ONNX input and output names, its dynamic axes, its TensorRT profiles and
its `config.pbtxt`. Axis 0 of every stage tensor is the batch and is not listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any


class DType(str, Enum):
    """Element types, by their Triton names."""

    FP32 = "FP32"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    STRING = "STRING"


class Precision(str, Enum):
    """Number formats of a stage's arithmetic."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


# What a stage exists in where nothing speaks against it.
FLOATS = (Precision.FP32, Precision.FP16)


class StageKind(str, Enum):
    """What a stage does, as far as serving it is concerned."""

    STYLE = "style"
    ENCODER = "encoder"
    DECODER = "decoder"
    VOCODER = "vocoder"


# Of other roles, those that are served as one of these kinds is.
_KINDS = {kind.value: kind for kind in StageKind} | {"flow": StageKind.DECODER, "xcodec2": StageKind.ENCODER}


@dataclass(frozen=True)
class Axis:
    """A dynamic axis: its label and the smallest, the usual and the largest length a plan is built for.

    Every length, those three too, is a multiple of `step`.
    """

    label: str
    minimum: int
    optimum: int
    maximum: int
    step: int = 1

    def scaled(self, label: str, factor: int) -> Axis:
        """The axis that is `factor` times as long, as samples are to frames."""
        return Axis(label, self.minimum * factor, self.optimum * factor, self.maximum * factor, self.step * factor)

    def at(self, fraction: float) -> int:
        """The length at a fraction of the usual one, though not below the smallest."""
        return max(self.minimum, int(self.optimum * fraction) // self.step * self.step)


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

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TensorSpec:
        """What `dataclasses.asdict` made of one. Raises KeyError, ValueError and TypeError."""
        axes = tuple(Axis(**axis) if isinstance(axis, dict) else int(axis) for axis in content["axes"])
        return cls(content["name"], DType(content["dtype"]), axes, content["optional"])


@dataclass(frozen=True)
class Warmup:
    """A request that Triton runs through a stage before it is ready: a batch, and a length for each dynamic axis."""

    batch: int
    lengths: dict[str, int]


# ONNX Runtime's arena on the host would keep the most that any request ever needed (docs/benchmarks.md).
WITHOUT_ARENA = {"enable_mem_arena": "0"}


@dataclass(frozen=True)
class StageSpec:
    """One ONNX stage of a voice.

    `role` is the suffix of the Triton model's name (`encoder` makes `demo_encoder`). `max_batch_size` is the largest
    batch that the graph is for; a profile may ask for less. `precisions` are those it exists in: the first one is
    `model.onnx`, another one `model.<precision>.onnx`. A `cached` stage's answers are kept in Triton's response cache.
    `session` are parameters of the ONNX Runtime backend. With `bfloat16` it may be computed in that where the processor
    does so faster: its eight bits are enough for a waveform, and too few for durations and phases.
    """

    role: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    max_batch_size: int = 64
    precisions: tuple[Precision, ...] = (Precision.FP32,)
    cached: bool = False
    warmups: tuple[Warmup, ...] = ()
    session: dict[str, str] = field(default_factory=lambda: dict(WITHOUT_ARENA))
    bfloat16: bool = False

    @property
    def kind(self) -> StageKind:
        """What the role says; a role of no fixed name is a vocoder's."""
        return _KINDS.get(self.role, StageKind.VOCODER)

    def file_name(self, wanted: Precision) -> str:
        """The ONNX file to serve where `wanted` is the precision wanted: that one's, or else the first one's."""
        return f"model.{wanted.value}.onnx" if wanted in self.precisions[1:] else "model.onnx"

    def files(self) -> dict[str, Precision]:
        """The stage's ONNX files and their precisions."""
        return {self.file_name(precision): precision for precision in self.precisions}

    def axes(self) -> Iterator[Axis]:
        """Every dynamic axis once, in order of appearance."""
        seen: set[str] = set()
        for tensor in (*self.inputs, *self.outputs):
            for axis in tensor.axes:
                if isinstance(axis, Axis) and axis.label not in seen:
                    seen.add(axis.label)
                    yield axis

    def as_dict(self) -> dict[str, Any]:
        """The form that a stage's manifest has, for those who have neither the checkpoint nor PyTorch."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> StageSpec:
        """What `as_dict` gave, also by way of JSON. Raises KeyError, ValueError and TypeError."""
        own: dict[str, Any] = {
            "inputs": tuple(TensorSpec.from_dict(tensor) for tensor in content["inputs"]),
            "outputs": tuple(TensorSpec.from_dict(tensor) for tensor in content["outputs"]),
            "precisions": tuple(Precision(precision) for precision in content["precisions"]),
            "warmups": tuple(Warmup(**warmup) for warmup in content["warmups"]),
        }
        return cls(**{**content, **own})
