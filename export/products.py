"""Layers of a graph → int8 matrix products (QDQ) with float results.

A layer's input is brought to int8 once; a convolution is the product of its input's taps, side by side, with its weight
as a matrix. ONNX Runtime computes such a product in the processor's int8 units (VNNI, AMX) and scales its sums straight
to float, so that only inputs and weights are rounded. What is around the layer stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from export.errors import SpecError

Array = npt.NDArray[Any]
# Slices to the end of an axis.
_END = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Steps:
    """How floats are written as 8 bits: x = (q - zero) · scale, q in 0…255."""

    scale: np.float32
    zero: np.uint8

    @staticmethod
    def between(low: float, high: float) -> Steps:
        """Those that cover `low` to `high`, and 0."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = np.float32(max(high - low, 1e-8) / 255)
        return Steps(scale, np.uint8(np.clip(np.rint(-low / scale), 0, 255)))


def layers(graph: onnx.GraphProto, prefixes: tuple[str, ...]) -> list[onnx.NodeProto]:
    """The convolutions and matrix products whose constant weights have one of these prefixes."""
    constants = {tensor.name for tensor in graph.initializer}
    return [
        node
        for node in graph.node
        if node.op_type in ("Conv", "MatMul", "Gemm")
        and node.input[1] in constants
        and node.input[1].startswith(prefixes)
    ]


def with_products(
    proto: onnx.ModelProto, chosen: Collection[onnx.NodeProto], steps: Mapping[str, Steps]
) -> onnx.ModelProto:
    """The graph with the chosen layers as int8 products; `steps` are those of each layer's input.

    Raises `SpecError` for a layer that cannot be one.
    """
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    graph = result.graph
    rewriting = _Rewriting({tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}, steps)
    names = {node.name for node in chosen}
    for node in proto.graph.node:
        if node.name in names:
            rewriting.replace(node)
        else:
            rewriting.nodes.append(node)
    used = {name for node in rewriting.nodes for name in (*node.input, *_outer_names(node))}
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(rewriting.nodes)
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in rewriting.constants.items() if name in used
    )
    return result


def _outer_names(node: onnx.NodeProto) -> Iterator[str]:
    """What the node's subgraphs (of a Loop, say) may take from the graph around them."""
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from (*inner.input, *_outer_names(inner))


class _Rewriting:
    """The nodes and constants of the graph to be."""

    def __init__(self, constants: dict[str, Array], steps: Mapping[str, Steps]) -> None:
        self.constants = constants
        self.steps = steps
        self.nodes: list[onnx.NodeProto] = []
        # Layers may share an input.
        self._written: dict[tuple[str, tuple[int, ...]], str] = {}

    def replace(self, node: onnx.NodeProto) -> None:
        weight = self.constants[node.input[1]]
        options = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type == "Conv":
            self._convolution(node, weight, options)
        elif node.op_type == "MatMul" or not set(options) - {"transB"}:
            matrix = weight.T if options.get("transB") else weight
            self._product(node, self._in_int8(node.input[0]), matrix, node.output[0])
        else:
            raise SpecError(f"{node.name} is no plain matrix product: leave it in float")

    def _convolution(self, node: onnx.NodeProto, weight: Array, options: Mapping[str, Any]) -> None:
        outputs, inputs, *kernel = weight.shape
        taps = kernel[-1]
        flat = len(kernel) == 2
        if options.get("group", 1) != 1 or set(options.get("strides", [1])) != {1} or kernel[:-1] not in ([], [1]):
            raise SpecError(f"{node.name} is no plain convolution along one axis: leave it in float")
        # Time before channels, [B, 1, T, C] or [B, T, C]; ONNX Runtime cancels what is transposed twice.
        axis, rows, columns = (2, (0, 2, 3, 1), (0, 3, 1, 2)) if flat else (1, (0, 2, 1), (0, 2, 1))
        x = self._in_int8(node.input[0], rows)
        pads = options.get("pads", [0] * 4)
        left, right = (pads[1], pads[3]) if flat else (pads[0], pads[1])
        if left or right:
            zero = self._constant(f"{node.input[0]}/zero", self.steps[node.input[0]].zero)
            ends = self._constant(f"pads/{left}/{right}", np.array([left, right]))
            x = self._add("Pad", [x, ends, zero, self._axis(axis)], f"{node.name}/padded")
        if taps > 1:
            apart = options.get("dilations", [1])[-1]
            shifted = [
                self._slice(x, f"{node.name}/tap{i}", i * apart, (taps - 1 - i) * apart, axis) for i in range(taps)
            ]
            x = self._add("Concat", shifted, f"{node.name}/taps", axis=axis + 1)
        matrix = weight.reshape(outputs, inputs, taps).transpose(2, 1, 0).reshape(taps * inputs, outputs)
        product = self._product(node, x, matrix, f"{node.name}/rows")
        self._add("Transpose", [product], node.output[0], perm=columns)

    def _product(self, node: onnx.NodeProto, x: str, matrix: Array, output: str) -> str:
        """The node's input times a matrix [inputs, outputs], with a scale for each output, and plus its bias."""
        scale = np.maximum(np.abs(matrix).max(0) / 127, 1e-12).astype(np.float32)
        rounded = np.rint(matrix / scale).astype(np.int8)
        weight = [
            self._constant(f"{node.input[1]}/int8", rounded),
            self._constant(f"{node.input[1]}/scale", scale),
        ]
        factors = [
            self._add("DequantizeLinear", [x, *self._scale_and_zero(node.input[0])], f"{node.name}/x"),
            self._add("DequantizeLinear", weight, f"{node.name}/weight", axis=1),
        ]
        if len(node.input) < 3:
            return self._add("MatMul", factors, output)
        return self._add("Add", [self._add("MatMul", factors, f"{node.name}/product"), node.input[2]], output)

    def _in_int8(self, name: str, order: tuple[int, ...] = ()) -> str:
        """A tensor in int8, its axes in this order."""
        if (name, order) not in self._written:
            x = self._add("Transpose", [name], f"{name}/rows", perm=order) if order else name
            self._written[name, order] = self._add("QuantizeLinear", [x, *self._scale_and_zero(name)], f"{x}/int8")
        return self._written[name, order]

    def _scale_and_zero(self, name: str) -> list[str]:
        steps = self.steps[name]
        return [self._constant(f"{name}/scale", steps.scale), self._constant(f"{name}/zero", steps.zero)]

    def _slice(self, x: str, output: str, left: int, right: int, axis: int) -> str:
        start = self._constant(f"from/{left}", np.array([left]))
        end = self._constant(f"to/{right}", np.array([-right if right else _END]))
        return self._add("Slice", [x, start, end, self._axis(axis)], output)

    def _axis(self, axis: int) -> str:
        return self._constant(f"axis/{axis}", np.array([axis]))

    def _constant(self, name: str, value: Any) -> str:
        self.constants[name] = np.asarray(value)
        return name

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output
