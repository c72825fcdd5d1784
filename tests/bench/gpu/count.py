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
    """Floating-point operations (a multiply-add is two), and elements that go in and out: moved ones, and constants."""

    kind: str
    flops: float
    moved: float
    constant: float

    @property
    def elements(self) -> float:
        return self.moved + self.constant


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


def count(model: Path, inputs: Shapes) -> Work:
    """The work of a float32 graph for inputs of these shapes. Raises `CountError`."""
    return Work(tuple(_graph(_fixed(model, inputs).graph, _Scope({}, {}))))


def lengths(model: onnx.ModelProto, inputs: Shapes) -> dict[str, int]:
    """Of the dynamic axes, by their names in the graph; an axis of whole steps is called `3*frames` there."""
    return {
        dim.dim_param: length
        for value in model.graph.input
        for dim, length in zip(value.type.tensor_type.shape.dim, inputs[value.name], strict=True)
        if dim.HasField("dim_param")
    }


def _fixed(model: Path, inputs: Shapes) -> onnx.ModelProto:
    """The graph with every shape known: ONNX Runtime folds what computes shapes, and onnx infers the rest."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # The level that stays inside standard ONNX.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    for name, length in lengths(onnx.load(model), inputs).items():
        options.add_free_dimension_override_by_name(name, length)
    with tempfile.TemporaryDirectory(prefix="count-") as folder:
        options.optimized_model_filepath = str(Path(folder, "fixed.onnx"))
        onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        return onnx.shape_inference.infer_shapes(onnx.load(options.optimized_model_filepath), data_prop=True)


@dataclass(frozen=True)
class _Scope:
    """What is known of the values that a graph sees: shapes, and the constants themselves."""

    shapes: dict[str, Shape]
    constants: dict[str, onnx.TensorProto]

    def of(self, graph: onnx.GraphProto) -> _Scope:
        """The scope of a graph inside this one."""
        constants = self.constants | {tensor.name: tensor for tensor in graph.initializer}
        shapes = dict(self.shapes)
        for value in (*graph.input, *graph.value_info, *graph.output):
            kind = value.type.tensor_type
            if kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim):
                shapes[value.name] = tuple(dim.dim_value for dim in kind.shape.dim)
        return _Scope(shapes | {name: tuple(tensor.dims) for name, tensor in constants.items()}, constants)

    def shape(self, name: str, node: onnx.NodeProto) -> Shape:
        """Raises `CountError` where it is unknown."""
        if name not in self.shapes:
            raise CountError(f"{node.op_type} {node.name}: the shape of {name} is unknown")
        return self.shapes[name]


def _graph(graph: onnx.GraphProto, outer: _Scope) -> list[Node]:
    scope = outer.of(graph)
    nodes: list[Node] = []
    for node in graph.node:
        if node.op_type == "Scan":
            nodes += _scan(node, scope)
        elif node.op_type in ("If", "Loop"):
            raise CountError(f"{node.op_type} {node.name}: how often it runs depends on data")
        elif node.op_type in _FLOPS:
            nodes.append(_node(node, scope))
    return nodes


def _node(node: onnx.NodeProto, scope: _Scope) -> Node:
    inputs = [scope.shape(name, node) for name in node.input if name]
    output = scope.shape(node.output[0], node)
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    constant = sum(prod(scope.shapes[name]) for name in node.input if name in scope.constants)
    moved = sum(prod(shape) for shape in (*inputs, output)) - constant
    return Node(node.op_type, _FLOPS[node.op_type](inputs, output, attributes), float(moved), float(constant))


def _scan(node: onnx.NodeProto, scope: _Scope) -> list[Node]:
    """The body's nodes as often as there are steps. Its constants are read once: they stay on the chip."""
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    states = len(node.input) - attributes["num_scan_inputs"]
    axes = attributes.get("scan_input_axes", [0] * attributes["num_scan_inputs"])
    given = [scope.shape(name, node) for name in node.input]
    steps = given[states][axes[0]]
    items = [shape[:axis] + shape[axis + 1 :] for shape, axis in zip(given[states:], axes, strict=True)]
    inside = _inferred(attributes["body"], [*given[:states], *items], scope)
    return [Node(each.kind, each.flops * steps, each.moved * steps, each.constant) for each in _graph(inside, scope)]


def _inferred(body: onnx.GraphProto, given: Sequence[Shape], outer: _Scope) -> onnx.GraphProto:
    """A body with its shapes, as a graph of its own: what it takes from outside becomes an input or a constant."""
    graph = onnx.GraphProto()
    graph.CopyFrom(body)
    for value, shape in zip(graph.input, given, strict=True):
        value.type.tensor_type.shape.CopyFrom(
            onnx.TensorShapeProto(dim=[onnx.TensorShapeProto.Dimension(dim_value=length) for length in shape])
        )
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    known |= {name for node in graph.node for name in node.output}
    for name in dict.fromkeys(name for node in graph.node for name in node.input if name and name not in known):
        if name in outer.constants:
            graph.initializer.append(outer.constants[name])
        elif name in outer.shapes:
            # Of whatever type: nothing is checked, and shapes do not depend on it.
            graph.input.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, outer.shapes[name]))
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
