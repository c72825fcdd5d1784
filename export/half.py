"""Float32 ONNX graph → the same with float16 arithmetic where that pays, in the manner of automatic mixed precision.

Matrix products, convolutions and LSTMs are computed in float16, and what moves, scales or adds their values goes along.
Everything else stays float32: normalisations, softmax, exponentials, reductions, cumulative sums, sines, comparisons,
and the arithmetic just before them. So do the graph's inputs and outputs, and the products of its inputs: to round a
spectrogram costs a vocoder 10 dB, and its first layer is one of the smallest.

`onnxruntime.transformers.float16` would not do: it puts the casts of a loop's body outside of the loop, and rounds
between two operators that are both kept in float32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.graphs import Values, body, graphs, inferred, states, walk

# What tensor cores compute, with sums in float32.
_PRODUCTS = {"Conv", "ConvTranspose", "Gemm", "LSTM", "MatMul"}
# What is as exact in float16 as its inputs are: it is in float16 where one of them is.
_ARITHMETIC = {"Add", "Clip", "Div", "LeakyRelu", "Max", "Min", "Mul", "Neg", "Relu", "Sigmoid", "Sub", "Tanh", "Where"}
_RESHAPING = {"Expand", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
_SELECTION = {"Concat", "Gather", "GatherElements", "Pad", "ScatterElements", "Slice", "Split"}
MOVING = _RESHAPING | _SELECTION
_FOLLOWING = _ARITHMETIC | MOVING
# What asks for a shape takes either type.
_SHAPES = {"Shape", "Size"}
# Float16's largest number, and the smallest one that it has with full precision.
_LARGEST, _SMALLEST = 65504.0, 2.0**-14
# A product of fewer columns gains nothing on tensor cores. Such are the heads: durations, pitch, energy.
_FEWEST_COLUMNS = 8


def to_half(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with float16 arithmetic. Casts are shared, and outside of the loops that do not change their inputs.

    Raises `SpecError` for a graph with control flow other than Scan.
    """
    result = inferred(proto)
    half = _Assignment(result.graph).half
    _rewrite(result.graph, half)
    return inferred(result)


class _Assignment:
    """Which values are to be in float16: `half`, by their names.

    Values that come of constants and truth values alone are `weak`: they may be in either type, and do not decide.
    """

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.values = Values(graph)
        self.nodes = list(walk(graph))
        self.half: set[str] = set()
        self.weak = set(self.values.constants)
        # What comes of the graph's inputs without a product.
        self.given = {value.name for value in graph.input}
        # Of each value the nodes that take it, and as which of their inputs.
        self.uses: dict[str, list[tuple[onnx.NodeProto, int]]] = defaultdict(list)
        for node in self.nodes:
            for position, name in enumerate(node.input):
                self.uses[name].append((node, position))
            floats = self.values.floats(node.input)
            if self._is_weak(node):
                self.weak.update(self.values.floats(node.output))
            elif floats and node.op_type not in _PRODUCTS and self.given.union(self.weak).issuperset(floats):
                self.given.update(self.values.floats(node.output))
        # What a loop hands out is of the type that its body computes.
        self.handed_out = {value.name for inside in graphs(graph) for value in inside.output} - {
            value.name for value in graph.output
        }
        while self._spread():
            pass
        self._hold_back()
        self._lend()

    def _is_weak(self, node: onnx.NodeProto) -> bool:
        if node.op_type == "Cast":
            return self.values.type(node.input[0]) == TensorProto.BOOL
        constant = all(name in self.weak for name in self.values.floats(node.input))
        return node.op_type == "ConstantOfShape" or (
            node.op_type in _FOLLOWING and constant and self._representable(node)
        )

    def _representable(self, node: onnx.NodeProto) -> bool:
        """Whether the constants that a node takes are numbers of float16, too."""
        for name in self.values.floats(node.input):
            if name in self.values.constants:
                value = self.values.constants[name]
                size = np.abs(value[np.isfinite(value)])
                if size.size and (size.max() > _LARGEST or (size.size == 1 and 0 < size.max() < _SMALLEST)):
                    return False
        return True

    def _pays(self, node: onnx.NodeProto) -> bool:
        """Whether a node is a product that float16 makes faster, and of more than the graph's inputs."""
        if node.op_type in _PRODUCTS and node.input[0] in self.given:
            return False
        if node.op_type not in ("Gemm", "MatMul"):
            return node.op_type in _PRODUCTS
        shape = self.values.shape(node.input[1])
        transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        columns = 1 if len(shape) == 1 else shape[-2 if transposed else -1] if shape else None
        return columns is None or columns >= _FEWEST_COLUMNS

    def _spread(self) -> bool:
        """Forwards: products are in float16, and so is what follows them. Returns whether anything changed."""
        before = len(self.half)
        for node in self.nodes:
            if loop := body(node):
                count = states(node)
                for number, (outer, inner) in enumerate(zip(node.output, loop.output, strict=True)):
                    if inner.name in self.half:
                        self.half.update((outer, loop.input[number].name) if number < count else (outer,))
                for outer, value in zip(node.input[count:], loop.input[count:], strict=True):
                    if outer in self.half:
                        self.half.add(value.name)
            elif (self._pays(node) or self._follows(node)) and self._representable(node):
                self.half.update(self.values.floats(node.output))
        return len(self.half) > before

    def _follows(self, node: onnx.NodeProto) -> bool:
        """Whether a node's inputs make it one in float16."""
        floats = self.values.floats(node.input)
        if node.op_type == "Concat" and not self.half.union(self.weak).issuperset(floats):
            # What was kept in float32 so far may need it: phases and durations travel beside spectra and hidden states.
            return False
        return node.op_type in _FOLLOWING and not self.half.isdisjoint(floats)

    def _hold_back(self) -> None:
        """Backwards: arithmetic whose results are all needed in float32 is float32 itself, where that casts no more."""
        for node in reversed(self.nodes):
            if node.op_type not in _ARITHMETIC | _RESHAPING or not self.half.intersection(node.output):
                continue
            narrow = [name for name in node.input if name in self.half]
            wide = [name for name in self.values.floats(node.input) if name not in self.half | self.weak]
            if (len(narrow) == 1 or wide) and not self._wanted(node):
                self.half.difference_update(node.output)

    def _lend(self) -> None:
        """Backwards: weak values are in float16 where anything takes them so."""
        for node in reversed(self.nodes):
            if node.output[0] in self.weak and node.output[0] not in self.handed_out and self._wanted(node):
                self.half.update(self.values.floats(node.output))

    def _wanted(self, node: onnx.NodeProto) -> bool:
        """Whether anything takes a result of the node in float16."""
        return any(
            name in self.handed_out or any(in_half(user, position, self.half) for user, position in self.uses[name])
            for name in node.output
        )


def in_half(node: onnx.NodeProto, position: int, half: set[str]) -> bool:
    """Whether a node takes its floating-point input at `position` in float16, where `half` are the values in it."""
    if loop := body(node):
        return loop.input[position].name in half
    return any(name in half for name in node.output)


def _rewrite(graph: onnx.GraphProto, half: set[str]) -> None:
    """Give every value its type, and cast where a node needs the other one."""
    values = Values(graph)
    # Of a value the name of its cast; the graph's outputs keep their names and their type.
    casts = {f"{value.name}_fp16": value.name for value in graph.output if value.name in half}
    of_outputs = {name: freed for freed, name in casts.items()}
    half = {of_outputs.get(name, name) for name in half}
    for node in walk(graph):
        for names in (node.input, node.output):
            names[:] = [of_outputs.get(name, name) for name in names]
        for position, name in enumerate(node.input):
            floating = name in half or values.type(name) == TensorProto.FLOAT
            if floating and node.op_type not in _SHAPES and in_half(node, position, half) != (name in half):
                node.input[position] = casts.setdefault(name, f"{name}_{'fp32' if name in half else 'fp16'}")
        if half.intersection(node.output):
            _compute_in_half(node)
    used = {name for node in walk(graph) for name in node.input}
    for inside in graphs(graph):
        _put_casts(inside, casts, half)
        kept = [constant for constant in inside.initializer if constant.name in used]
        del inside.initializer[:]
        inside.initializer.extend(kept)


def _compute_in_half(node: onnx.NodeProto) -> None:
    """Say float16 where an operator itself says what type its result has."""
    if node.op_type == "Cast":
        del node.attribute[:]
        node.attribute.append(helper.make_attribute("to", TensorProto.FLOAT16))
    if node.op_type == "ConstantOfShape":
        value = numpy_helper.to_array(node.attribute[0].t) if node.attribute else np.zeros(1)
        del node.attribute[:]
        node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(value.astype(np.float16))))


def _put_casts(graph: onnx.GraphProto, casts: Mapping[str, str], half: set[str]) -> None:
    """Put every cast right after what it casts, and declare what is in float16 as such."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.name in half:
            value.type.tensor_type.elem_type = TensorProto.FLOAT16
    graph.initializer.extend(
        _in_half(constant, casts[constant.name]) for constant in list(graph.initializer) if constant.name in casts
    )
    nodes = [_cast(value.name, casts, half) for value in graph.input if value.name in casts]
    for node in graph.node:
        nodes += [node, *(_cast(name, casts, half) for name in node.output if name in casts)]
    del graph.node[:]
    graph.node.extend(nodes)


def _cast(name: str, casts: Mapping[str, str], half: set[str]) -> onnx.NodeProto:
    wanted = TensorProto.FLOAT if name in half else TensorProto.FLOAT16
    return helper.make_node("Cast", [name], [casts[name]], name=f"cast_{casts[name]}", to=wanted)


def _in_half(constant: onnx.TensorProto, name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(constant).astype(np.float16), name)
