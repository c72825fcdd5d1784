"""The two graphs that a CosyVoice2 checkpoint brings along as ONNX files; they are served as they are.

`speech_tokenizer_v2.onnx` makes speech tokens of a whisper spectrogram, `campplus.onnx` an x-vector of filter bank
energies. As upstream, their tensors are known by their places and not by their names.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnx.external_data_helper import uses_external_data
from tritonclient.grpc import model_config_pb2 as pb

from export.bundle import Arrays
from export.change import Change
from export.configs import declare
from export.errors import CheckpointError
from export.profiles import Profile
from export.specs import WITHOUT_ARENA, Axis, DType, Precision, TensorSpec

_FILE = "model.onnx"
_TYPES = {"tensor(float)": DType.FP32, "tensor(int32)": DType.INT32, "tensor(int64)": DType.INT64}
# Of the clip that a graph is tried on: two seconds, a hundred frames each.
_FRAMES = 200


@dataclass(frozen=True)
class Kind:
    """What a graph must take and give.

    `takes` are the types and shapes of its inputs, -1 for any length. `trial` makes valid ones in this order, and
    `fault` says what is wrong with the answer to them, or nothing.
    """

    role: str
    takes: tuple[tuple[DType, tuple[int, ...]], ...]
    gives: tuple[DType, ...]
    trial: Callable[[np.random.Generator], tuple[npt.NDArray[Any], ...]]
    fault: Callable[[npt.NDArray[Any]], str]


@dataclass(frozen=True)
class ForeignGraph:
    """A model of a voice that is a checkpoint's own ONNX file."""

    role: str
    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def possible(self) -> tuple[Precision, ...]:
        """The file's own."""
        return (Precision.FP32,)

    def only(self, precisions: Collection[Precision]) -> ForeignGraph:
        """Itself: there is one file."""
        return self

    def put(self, change: Change, model: str, report: Callable[[str], None]) -> None:
        """Copy the file into a change. Raises `CheckpointError`."""
        folder = change.folder / model / "1"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(self.path, folder / _FILE)
        except OSError as error:
            raise CheckpointError(f"cannot copy {self.path}: {error.strerror or error}") from error
        report(f"copied {self.path.name} as {model}")

    def config(self, model: str, profile: Profile) -> pb.ModelConfig:
        """One clip at a time, on a GPU where there is one."""
        config = pb.ModelConfig(
            name=model, platform="onnxruntime_onnx", backend="onnxruntime", default_model_filename=_FILE
        )
        declare(config, self.inputs, self.outputs)
        config.instance_group.add(kind=pb.ModelInstanceGroup.KIND_AUTO, count=1)
        for name, value in {**profile.session, **WITHOUT_ARENA}.items():
            config.parameters[name].string_value = value
        return config


def speech_tokenizer(path: Path, tokens: int) -> ForeignGraph:
    """The part that is `speech_tokenizer_v2.onnx`, whose ids must be below `tokens`. Raises `CheckpointError`.

    It takes a spectrogram [1, 128, T] and its length [1], and gives a token for each four frames.
    """

    def trial(rng: np.random.Generator) -> tuple[npt.NDArray[Any], ...]:
        mel = rng.uniform(-1.0, 1.5, (1, 128, _FRAMES)).astype(np.float32)
        return mel, np.array([_FRAMES], dtype=np.int32)

    def fault(ids: npt.NDArray[Any]) -> str:
        if abs(ids.size - _FRAMES // 4) > 1:
            return f"{ids.size} tokens for {_FRAMES} frames, 25 for a second of 100 frames are expected"
        if not 0 <= ids.min() <= ids.max() < tokens:
            return f"tokens up to {ids.max()}, the flow knows {tokens}"
        return ""

    takes = ((DType.FP32, (1, 128, -1)), (DType.INT32, (1,)))
    return _read(path, Kind("speech_tokenizer", takes, (DType.INT32, DType.INT64), trial, fault))


def campplus(path: Path, size: int) -> ForeignGraph:
    """The part that is `campplus.onnx`: energies [1, T, 80] → an x-vector of `size`. Raises `CheckpointError`."""

    def trial(rng: np.random.Generator) -> tuple[npt.NDArray[Any], ...]:
        return (rng.standard_normal((1, _FRAMES, 80)).astype(np.float32),)

    def fault(vector: npt.NDArray[Any]) -> str:
        if vector.size != size:
            return f"{vector.size} numbers instead of an x-vector of {size}"
        return "" if np.isfinite(vector).all() else "NaN or infinite values"

    return _read(path, Kind("campplus", ((DType.FP32, (1, -1, 80)),), (DType.FP32,), trial, fault))


def _read(path: Path, kind: Kind) -> ForeignGraph:
    """Check a file by what it says and by what it does."""
    _check_file(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # The library raises nothing more special.
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise CheckpointError(f"ONNX Runtime cannot load {path}: it is damaged or too new; fetch it again") from error
    nodes = session.get_inputs()
    if len(nodes) != len(kind.takes) or not all(map(_fits, nodes, kind.takes)):
        taken = " and ".join(f"{dtype.value} {list(shape)}" for dtype, shape in kind.takes)
        found = " and ".join(f"{node.type} {node.shape}" for node in nodes)
        raise CheckpointError(f"{path} takes {found[:120]} instead of {taken}: it is not CosyVoice2's; fetch it again")
    trial = kind.trial(np.random.default_rng(0))
    inputs: Arrays = {node.name: value for node, value in zip(nodes, trial, strict=True)}
    node = session.get_outputs()[0]
    try:
        (answer,) = session.run([node.name], inputs)
    except Exception as error:
        raise CheckpointError(f"{path} fails on two seconds of sound: it is damaged; fetch it again") from error
    if _TYPES.get(node.type) not in kind.gives:
        raise CheckpointError(f"{path} gives {node.type}, {kind.gives[0].value} is expected; fetch it again")
    if fault := kind.fault(answer):
        raise CheckpointError(f"{path} gives {fault}: it is not CosyVoice2's; fetch it again")
    given = _spec(node.name, node.type, node.shape or ["any"] * answer.ndim)
    return ForeignGraph(kind.role, path, tuple(_spec(n.name, n.type, n.shape) for n in nodes), (given,))


def _fits(node: Any, taken: tuple[DType, tuple[int, ...]]) -> bool:
    """Whether an input may be given what is to be given."""
    dtype, shape = taken
    if _TYPES.get(node.type) != dtype or len(node.shape) != len(shape):
        return False
    return all(not isinstance(has, int) or has == wants for has, wants in zip(node.shape, shape, strict=True))


def _spec(name: str, kind: str, shape: list[Any]) -> TensorSpec:
    axes = tuple(size if isinstance(size, int) else Axis(f"{name}_{i}", 1, 1, 1) for i, size in enumerate(shape))
    return TensorSpec(name, _TYPES[kind], axes)


def _check_file(path: Path) -> None:
    """Raise `CheckpointError` for a file that is no graph, or whose weights are in other files, wherever those are."""
    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    except DecodeError as error:
        raise CheckpointError(f"{path} is damaged, cut short or no ONNX file; fetch it again") from error
    graphs: tuple[onnx.GraphProto | onnx.FunctionProto, ...] = (model.graph, *model.functions)
    if any(uses_external_data(tensor) for graph in graphs for tensor in _tensors(graph)):
        raise CheckpointError(f"{path} keeps weights in other files: save it as one file, or fetch it again")


def _tensors(graph: onnx.GraphProto | onnx.FunctionProto) -> Iterator[onnx.TensorProto]:
    """Every constant of a graph and of the graphs inside it."""
    if isinstance(graph, onnx.GraphProto):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)
