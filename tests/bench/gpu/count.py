"""Arithmetic and memory traffic of an ONNX graph for given shapes: what a roofline is drawn with.

Only matrix products, convolutions and recurrences are counted: everything else can be fused into them, so that what is
counted is a lower bound of what any runtime has to do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import onnx
import onnxruntime
from onnx import helper

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


class CountError(Exception):
    """A graph holds what cannot be counted: one sentence."""


@dataclass(frozen=True)
class Node:
    """Floating-point operations (a multiply-add is two) and the elements that go in and come out of one node."""

    kind: str
    flops: float
    elements: float


@dataclass(frozen=True)
class Work:
    """The counted nodes of a graph."""

    nodes: tuple[Node, ...]

    @property
    def flops(self) -> float:
        return sum(node.flops for node in self.nodes)

    @property
    def elements(self) -> float:
        return sum(node.elements for node in self.nodes)

    def seconds(self, flops_per_second: float, bytes_per_second: float, element_bytes: int) -> float:
        """The least time: each node takes its arithmetic or its traffic, whichever takes longer (Williams 2009)."""
        return sum(
            max(node.flops / flops_per_second, node.elements * element_bytes / bytes_per_second) for node in self.nodes
        )


def count(model: Path, lengths: Mapping[str, int]) -> Work:
    """The work of a float32 graph whose dynamic axes have these lengths, by their names in the graph.

    Raises `CountError`.
    """
    return Work(tuple(_graph(_fixed(model, lengths).graph, {})))


def _fixed(model: Path, lengths: Mapping[str, int]) -> onnx.ModelProto:
    """The graph with every shape known: ONNX Runtime folds what computes shapes, and onnx infers the rest."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # The level that stays inside standard ONNX.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    for name, length in lengths.items():
        options.add_free_dimension_override_by_name(name, length)
    with tempfile.TemporaryDirectory(prefix="count-") as folder:
        options.optimized_model_filepath = str(Path(folder, "fixed.onnx"))
        onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        return onnx.shape_inference.infer_shapes(onnx.load(options.optimized_model_filepath), data_prop=True)


def _graph(graph: onnx.GraphProto, outer: Shapes) -> list[Node]:
    shapes = dict(outer)
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if kind.HasField("shape") and all(d.HasField("dim_value") for d in kind.shape.dim):
            shapes[value.name] = tuple(d.dim_value for d in kind.shape.dim)
    shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    nodes: list[Node] = []
    for node in graph.node:
        if node.op_type == "Scan":
            nodes += _scan(node, shapes)
        elif node.op_type in ("If", "Loop"):
            raise CountError(f"{node.op_type} {node.name}: how often it runs depends on data")
        elif node.op_type in _FLOPS:
            nodes.append(_node(node, shapes))
    return nodes


def _node(node: onnx.NodeProto, shapes: Shapes) -> Node:
    names = [name for name in (*node.input, *node.output) if name]
    # A second output of an LSTM, say, may be left without a shape where nobody reads it.
    missing = [name for name in (*node.input[:2], node.output[0]) if name not in shapes]
    if missing:
        raise CountError(f"{node.op_type} {node.name}: the shape of {missing[0]} is unknown")
    inputs = [shapes.get(name, ()) for name in node.input]
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    flops = _FLOPS[node.op_type](inputs, shapes[node.output[0]], attributes)
    return Node(node.op_type, flops, float(sum(prod(shapes[name]) for name in names if name in shapes)))


def _scan(node: onnx.NodeProto, shapes: Shapes) -> list[Node]:
    """The body's nodes as often as there are steps. Its constants are read once: they stay on the chip."""
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    body, scanned = attributes["body"], attributes["num_scan_inputs"]
    axes = attributes.get("scan_input_axes", [0] * scanned)
    first = node.input[len(node.input) - scanned]
    if first not in shapes:
        raise CountError(f"Scan {node.name}: the shape of {first} is unknown")
    steps = shapes[first][axes[0]]
    state = [shapes.get(name, ()) for name in node.input[: len(node.input) - scanned]]
    items = [
        tuple(length for i, length in enumerate(shapes[name]) if i != axis)
        for name, axis in zip(node.input[len(state) :], axes, strict=True)
    ]
    given = dict(zip((value.name for value in body.input), (*state, *items), strict=True))
    inner = _graph(_inferred(body, shapes, given), shapes)
    return [Node(each.kind, each.flops * steps, each.elements * steps) for each in inner]


def _inferred(body: onnx.GraphProto, outer: Shapes, given: Shapes) -> onnx.GraphProto:
    """A body with its shapes, as a graph of its own: what it takes from outside becomes an input."""
    graph = onnx.GraphProto()
    graph.CopyFrom(body)
    for value in graph.input:
        kind = value.type.tensor_type
        kind.shape.Clear()
        kind.shape.dim.extend(onnx.TensorShapeProto.Dimension(dim_value=length) for length in given[value.name])
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    known |= {name for node in graph.node for name in node.output}
    for name in dict.fromkeys(name for node in graph.node for name in node.input if name and name not in known):
        if name in outer:
            graph.input.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, outer[name]))
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    return onnx.shape_inference.infer_shapes(model, data_prop=True).graph


def _convolution(inputs: Sequence[Shape], output: Shape, attributes: Mapping[str, object]) -> float:
    return 2.0 * prod(output) * prod(inputs[1][1:])


def _transposed(inputs: Sequence[Shape], output: Shape, attributes: Mapping[str, object]) -> float:
    return 2.0 * prod(inputs[0]) * prod(inputs[1][1:])


def _product(inputs: Sequence[Shape], output: Shape, attributes: Mapping[str, object]) -> float:
    return 2.0 * prod(output) * inputs[0][-1]


def _gemm(inputs: Sequence[Shape], output: Shape, attributes: Mapping[str, object]) -> float:
    return 2.0 * prod(output) * inputs[0][0 if attributes.get("transA") else 1]


def _lstm(inputs: Sequence[Shape], output: Shape, attributes: Mapping[str, object]) -> float:
    length, batch, width = inputs[0]
    directions, gates, _ = inputs[1]
    return 2.0 * length * batch * directions * gates * (width + gates // 4)


# (shapes of the inputs, shape of the first output, attributes) → operations
_FLOPS: dict[str, Callable[[Sequence[Shape], Shape, Mapping[str, object]], float]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "MatMul": _product,
    "Gemm": _gemm,
    "LSTM": _lstm,
}
