"""Proof that a float16 graph is close to its float32 one and does not overflow, on a machine without float16.

ONNX Runtime's CPU kernels compute a float16 graph in float32 and leave out the rounding between most operators, so that
nothing ever overflows there. Here the graph is computed with its rounding written out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.accuracy import Loss
from export.bundle import Arrays, Stage
from export.errors import SpecError
from export.graphs import Values, body, graphs
from export.half import MOVING, to_half
from export.inference import run_onnx

# What a stage's outputs must keep against the float32 graph, in dB.
LEAST_SNR = 35.0
# The largest error of one of their values: so much of 1, or of the value where that is larger.
LARGEST_ERROR = 0.1
# Nothing may come nearer to float16's largest number than by this factor, a power of two.
HEADROOM = 4.0
# An error that a float32 graph may have, too, counts as none.
NEGLIGIBLE = 1e-4

_REMEDY = "give --precision fp32 alone"
# Names of constants.
_SCALE, _BACK = "headroom", "headroom_inverse"


def in_half(stage: Stage, exact: onnx.ModelProto, spoken: Arrays | None = None) -> tuple[onnx.ModelProto, Loss]:
    """A stage's float32 graph in float16, and what it loses at several shapes, the longest among them, and as `spoken`.

    Raises `SpecError` when that is too much, or when a value overflows.
    """
    role = stage.spec.role
    graph = to_half(exact)
    worst, largest = float("inf"), 0.0
    for inputs in (*_sampled(stage), *([] if spoken is None else [spoken])):
        wanted = run_onnx(exact, inputs)
        got = run_onnx(with_rounding(graph), inputs)
        if not all(np.isfinite(value).all() for value in got.values()):
            raise SpecError(f"{role} overflows in float16: {_REMEDY}")
        for name in wanted:
            error = np.abs(wanted[name] - got[name])
            worst, largest = min(worst, signal_to_noise(wanted[name], got[name])), max(largest, float(error.max()))
            if not (error <= LARGEST_ERROR * np.maximum(1, np.abs(wanted[name]))).all():
                raise SpecError(f"in float16 {name} of {role} is off by {error.max():.2g}: {_REMEDY}")
    if not worst >= LEAST_SNR:
        raise SpecError(f"{role} has {worst:.1f} dB signal to noise in float16, not {LEAST_SNR} dB: {_REMEDY}")
    # Of the file itself, rather than of what it stands for: that it can be run.
    run_onnx(graph, inputs)
    return graph, Loss(worst, LEAST_SNR, largest)


def _sampled(stage: Stage) -> Iterator[Arrays]:
    """Inputs of several shapes, the longest first."""
    generator = np.random.default_rng(2)
    axes = list(stage.spec.axes())
    yield stage.sample(1, {axis.label: axis.maximum for axis in axes}, generator)
    yield stage.sample(3, {axis.label: axis.at(0.2) for axis in axes}, generator)


def signal_to_noise(wanted: npt.NDArray[np.float32], got: npt.NDArray[np.float32]) -> float:
    """The ratio in dB: where there are channels [B, T, C], that of the middle one; they are on different scales."""
    axes = (0, 1) if wanted.ndim == 3 else None
    error = np.abs(wanted - got)
    noise = np.square(np.where(error > NEGLIGIBLE, error, 0), dtype=np.float64).sum(axes)
    power = np.square(wanted, dtype=np.float64).sum(axes)
    return float(np.median(10 * np.log10(np.maximum(power, 1e-30) / np.maximum(noise, 1e-30))))


def with_rounding(proto: onnx.ModelProto, headroom: float = HEADROOM) -> onnx.ModelProto:
    """A float32 graph that computes what float16 arithmetic would: every result is rounded to float16.

    What exceeds float16's largest number over `headroom`, a power of two, becomes infinite.
    """
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    values = Values(proto.graph)
    for graph in graphs(result.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
        for constant in graph.initializer:
            if constant.data_type == TensorProto.FLOAT16:
                constant.CopyFrom(_widened(constant))
    for name, factor in ((_SCALE, headroom), (_BACK, 1 / headroom)):
        result.graph.initializer.append(numpy_helper.from_array(np.array(factor, dtype=np.float32), name))
    for graph in graphs(result.graph):
        nodes: list[onnx.NodeProto] = []
        for node in graph.node:
            nodes += _rounded(node, values)
        del graph.node[:]
        graph.node.extend(nodes)
    return result


def _rounded(node: onnx.NodeProto, values: Values) -> list[onnx.NodeProto]:
    """A node of a float16 graph as nodes of a float32 one."""
    if node.op_type == "Cast" and values.type(node.input[0]) == TensorProto.FLOAT16:
        return [helper.make_node("Identity", node.input, node.output)]
    narrow = [name for name in node.output if values.type(name) == TensorProto.FLOAT16]
    if not narrow or body(node):
        return [node]
    for attribute in node.attribute:
        if node.op_type == "Cast":
            attribute.i = TensorProto.FLOAT
        if node.op_type == "ConstantOfShape":
            attribute.t.CopyFrom(_widened(attribute.t))
    if node.op_type in MOVING:
        return [node]
    node.output[:] = [f"{name}_exact" if name in narrow else name for name in node.output]
    return [node, *(step for name in narrow for step in _rounding(name))]


def _rounding(name: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Mul", [f"{name}_exact", _SCALE], [f"{name}_scaled"]),
        helper.make_node("Cast", [f"{name}_scaled"], [f"{name}_half"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", [f"{name}_half"], [f"{name}_single"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}_single", _BACK], [name]),
    ]


def _widened(constant: onnx.TensorProto) -> onnx.TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(constant).astype(np.float32), constant.name)
