"""Compares a model's config with the inputs and outputs of its ONNX graph, as the C++ backend does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

# Triton's type, ONNX Runtime's, numpy's.
TYPES: dict[str, tuple[str, Any]] = {
    "TYPE_BOOL": ("tensor(bool)", np.bool_),
    "TYPE_UINT8": ("tensor(uint8)", np.uint8),
    "TYPE_UINT16": ("tensor(uint16)", np.uint16),
    "TYPE_UINT32": ("tensor(uint32)", np.uint32),
    "TYPE_UINT64": ("tensor(uint64)", np.uint64),
    "TYPE_INT8": ("tensor(int8)", np.int8),
    "TYPE_INT16": ("tensor(int16)", np.int16),
    "TYPE_INT32": ("tensor(int32)", np.int32),
    "TYPE_INT64": ("tensor(int64)", np.int64),
    "TYPE_FP16": ("tensor(float16)", np.float16),
    "TYPE_FP32": ("tensor(float)", np.float32),
    "TYPE_FP64": ("tensor(double)", np.float64),
    "TYPE_STRING": ("tensor(string)", np.object_),
}


class ConfigError(Exception):
    """The config and the model do not fit; the message is one sentence."""


class Node(Protocol):
    """An input or output as ONNX Runtime describes it."""

    name: str
    type: str
    shape: Sequence[int | str | None]


@dataclass(frozen=True)
class Tensor:
    """An input or output of the model. ``dims`` has -1 for any size and, when batching, no batch axis."""

    name: str
    triton_type: str
    dtype: Any
    dims: tuple[int, ...]

    @property
    def is_text(self) -> bool:
        return self.triton_type == "TYPE_STRING"


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives according to a config that has been checked."""

    batching: bool
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def check(config: Mapping[str, Any], graph_inputs: Sequence[Node], graph_outputs: Sequence[Node]) -> Signature:
    """The signature of a model, or a ConfigError that names the tensor and both sides."""
    batching = int(config.get("max_batch_size", 0)) > 0
    inputs, outputs = config.get("input", []), config.get("output", [])
    named = {entry["name"] for entry in inputs}
    for node in graph_inputs:
        if node.name not in named:
            raise ConfigError(f'the model needs the input "{node.name}", missing from the config')
    for entry in inputs:
        if entry.get("allow_ragged_batch"):
            raise ConfigError(f'input "{entry["name"]}" has allow_ragged_batch, not possible here: pad it upstream')
    for entry in outputs:
        if "reshape" in entry:
            raise ConfigError(f'output "{entry["name"]}" has a reshape in the config: give dims instead')
    if config.get("sequence_batching") and config["sequence_batching"].get("state"):
        raise ConfigError("implicit sequence state in the config is not supported for ONNX models here")
    return Signature(
        batching,
        tuple(_match("input", entry, graph_inputs, batching) for entry in inputs),
        tuple(_match("output", entry, graph_outputs, batching) for entry in outputs),
    )


def _match(kind: str, entry: Mapping[str, Any], nodes: Sequence[Node], batching: bool) -> Tensor:
    name = entry["name"]
    node = next((node for node in nodes if node.name == name), None)
    if node is None:
        names = ", ".join(f'"{node.name}"' for node in nodes)
        raise ConfigError(f'the config names the {kind} "{name}", but the {kind}s of the ONNX model are {names}')
    triton_type = entry["data_type"]
    if triton_type not in TYPES:
        raise ConfigError(f'{kind} "{name}" is {triton_type} in the config, which the Python backend cannot carry')
    onnx_type, dtype = TYPES[triton_type]
    if node.type != onnx_type:
        raise ConfigError(f'{kind} "{name}" is {triton_type} in the config and {node.type} in the ONNX model')
    dims = tuple(int(dim) for dim in entry.get("reshape", {}).get("shape", entry["dims"]))
    _match_dims(kind, name, dims, node.shape, batching)
    return Tensor(name, triton_type, dtype, dims)


def _match_dims(kind: str, name: str, dims: tuple[int, ...], shape: Sequence[int | str | None], batching: bool) -> None:
    graph = [axis if isinstance(axis, int) and axis >= 0 else -1 for axis in shape]
    expected = [-1, *dims] if batching else list(dims)
    if kind == "output" and not graph:
        return  # ONNX Runtime gives no axes where the graph does not declare the rank
    note = " (with the batch axis)" if batching else ""
    sides = f"{expected} in the config{note} and {graph} in the ONNX model"
    if len(graph) != len(expected):
        raise ConfigError(f'{kind} "{name}" has the shape {sides}: the ranks differ')
    if batching and graph[0] != -1:
        raise ConfigError(f'{kind} "{name}" has the shape {sides}: the batch axis of the ONNX model must be dynamic')
    for axis, (want, have) in enumerate(zip(expected, graph, strict=True)):
        if have not in (-1, want):
            raise ConfigError(f'{kind} "{name}" has the shape {sides}: axis {axis} differs')
