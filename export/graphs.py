"""What is in an ONNX graph and in the bodies of its loops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

from export.errors import SpecError
from export.graph_files import put_back, weights_outside


def inferred(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which the types of values are checked, and declared where they were not.

    ONNX checks and infers nothing inside of loops.
    """
    with weights_outside(proto, "weights") as weights:
        result = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)
    put_back(result, weights)
    return result


def body(node: onnx.NodeProto) -> onnx.GraphProto | None:
    """The body of a Scan, whose inputs and outputs are the node's one by one; nothing of another operator.

    Raises `SpecError` for the other operators that have graphs inside: no stage has them.
    """
    inside = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    if inside and node.op_type != "Scan":
        raise SpecError(f"a graph with a {node.op_type} can only be had in float32")
    return inside[0] if inside else None


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and the bodies of its loops."""
    yield graph
    for node in graph.node:
        if loop := body(node):
            yield from graphs(loop)


def walk(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node after those that it depends on; a loop's body comes before the loop."""
    for node in graph.node:
        if loop := body(node):
            yield from walk(loop)
        yield node


def states(node: onnx.NodeProto) -> int:
    """The number of values that a Scan hands from step to step; they are its first inputs and outputs."""
    (scanned,) = (attribute.i for attribute in node.attribute if attribute.name == "num_scan_inputs")
    return len(node.input) - int(scanned)


class Values:
    """The types, shapes and constants of a graph and of its loops, by names, which are unique."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.constants: dict[str, npt.NDArray[Any]] = {}
        self._types: dict[str, int] = {}
        self._shapes: dict[str, Sequence[int | None]] = {}
        for inside in graphs(graph):
            for value in (*inside.input, *inside.output, *inside.value_info):
                tensor = value.type.tensor_type
                self._types[value.name] = tensor.elem_type
                if tensor.HasField("shape"):
                    dims = tensor.shape.dim
                    self._shapes[value.name] = [d.dim_value if d.HasField("dim_value") else None for d in dims]
            for constant in inside.initializer:
                self.constants[constant.name] = numpy_helper.to_array(constant)
                self._types[constant.name] = constant.data_type
                self._shapes[constant.name] = list(constant.dims)

    def type(self, name: str) -> int:
        """The element type of a value, as ONNX numbers them; 0 where it is not known."""
        return self._types.get(name, TensorProto.UNDEFINED)

    def shape(self, name: str) -> Sequence[int | None]:
        """The lengths of a value's axes, None where one is dynamic; empty where nothing is known."""
        return self._shapes.get(name, ())

    def floats(self, names: Sequence[str]) -> list[str]:
        """Those of the names that are float32 values."""
        return [name for name in names if self.type(name) == TensorProto.FLOAT]
