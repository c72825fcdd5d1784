"""PyTorch module → ONNX files that are known to match its stage specification and the module."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from export.accuracy import Accuracy, Loss
from export.bundle import Arrays, Stage
from export.errors import SpecError
from export.graph_files import is_large, save, saved
from export.half_check import in_half
from export.inference import in_double, run_onnx
from export.quantize import quantize
from export.specs import Axis, DType, Precision, StageSpec

# The serving container's ONNX Runtime reads these; newer ones would need a newer container.
OPSET = 18
IR_VERSION = 10

# How far a freshly exported graph may be from its module, at any shape tried.
TOLERANCE = 1e-4

_ONNX_TYPES = {DType.FP32: onnx.TensorProto.FLOAT, DType.INT32: onnx.TensorProto.INT32}


def export_stage(stage: Stage, folder: Path, spoken: Arrays | None = None) -> Accuracy:
    """Write a stage's module as ONNX files, one for each precision of its specification.

    `spoken` are inputs as the stage gets them from others (`rehearsal`), for the proof of a lower precision.
    Raises `SpecError` when a graph is not what the specification says, differs from the module by more than
    `TOLERANCE`, or loses too much in a lower precision.
    """
    spec = stage.spec
    exact = traced(stage)
    error = _largest_difference(stage, exact)
    if not error <= TOLERANCE:
        raise SpecError(f"the ONNX graph of {spec.role} differs from its module by {error:.1e}, more than {TOLERANCE}")
    losses: dict[Precision, Loss] = {}
    for precision in spec.precisions:
        graph = exact
        if precision is not Precision.FP32:
            graph, losses[precision] = _LOWER[precision](stage, exact, spoken)
            check_graph(graph, spec)
        save(graph, folder / spec.file_name(precision))
    return Accuracy(error, TOLERANCE, losses)


def _in_int8(stage: Stage, exact: onnx.ModelProto, _: Arrays | None) -> tuple[onnx.ModelProto, Loss]:
    if stage.quantization is None:
        raise SpecError(f"{stage.spec.role} is to be in int8, but nothing says which of its layers")
    graph, ratio = quantize(exact, stage.quantization)
    return graph, Loss(ratio, stage.quantization.least_snr)


# (stage, its float32 graph, spoken inputs) → the graph in a lower precision, and what it loses. Raises `SpecError`.
_LOWER: dict[Precision, Callable[[Stage, onnx.ModelProto, Arrays | None], tuple[onnx.ModelProto, Loss]]] = {
    Precision.FP16: in_half,
    Precision.INT8: _in_int8,
}


def traced(stage: Stage) -> onnx.ModelProto:
    """The float32 graph with the names and dynamic axes of the specification. Raises `SpecError`."""
    spec = stage.spec
    generator = np.random.default_rng(0)
    # A different value in each input: the exporter takes equal tensors for one.
    example = stage.sample(2, {axis.label: axis.optimum for axis in spec.axes()}, generator)
    batch = torch.export.Dim("batch", min=1, max=64)
    dims = {axis.label: _dimension(axis) for axis in _input_axes(spec)}
    shapes = {
        tensor.name: {0: batch}
        | {i: dims[axis.label] for i, axis in enumerate(tensor.axes, start=1) if isinstance(axis, Axis)}
        for tensor in spec.inputs
    }
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            stage.module,
            tuple(torch.from_numpy(example[tensor.name]) for tensor in spec.inputs),
            dynamo=True,
            opset_version=OPSET,
            input_names=[tensor.name for tensor in spec.inputs],
            output_names=[tensor.name for tensor in spec.outputs],
            dynamic_shapes=tuple(shapes[tensor.name] for tensor in spec.inputs),
            optimize=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    proto.ir_version = IR_VERSION
    _strip_traces(proto)
    check_graph(proto, spec)
    return proto


def _input_axes(spec: StageSpec) -> list[Axis]:
    return [axis for axis in spec.axes() if any(axis in tensor.axes for tensor in spec.inputs)]


def _dimension(axis: Axis) -> Any:
    """The axis as PyTorch's exporter writes it."""
    # It takes a length of 1 for a constant.
    steps = torch.export.Dim(axis.label, min=max(2, axis.minimum // axis.step), max=axis.maximum // axis.step)
    return steps if axis.step == 1 else axis.step * steps


def _strip_traces(proto: onnx.ModelProto) -> None:
    """Drops the exporter's stack traces: they name this machine's folders and make builds differ."""
    proto.doc_string = ""
    del proto.metadata_props[:]
    _strip_graph(proto.graph)
    for function in proto.functions:
        del function.metadata_props[:]


def _strip_graph(graph: onnx.GraphProto) -> None:
    del graph.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _strip_graph(attribute.g)
    for value in (*graph.input, *graph.output, *graph.value_info):
        del value.metadata_props[:]
    for tensor in graph.initializer:
        del tensor.metadata_props[:]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter prints its progress and warns about itself; neither is for the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def check_graph(proto: onnx.ModelProto, spec: StageSpec) -> None:
    """Compare a graph's inputs and outputs with a specification; `SpecError` names the first difference."""
    if is_large(proto):
        with saved(proto) as path:
            onnx.checker.check_model(str(path))
    else:
        onnx.checker.check_model(proto)
    for kind, tensors, values in (
        ("input", spec.inputs, proto.graph.input),
        ("output", spec.outputs, proto.graph.output),
    ):
        names, found = [t.name for t in tensors], [v.name for v in values]
        if names != found:
            raise SpecError(f"{spec.role}: the graph's {kind}s are {found}, the specification's {names}")
        for tensor, value in zip(tensors, values, strict=True):
            kinds = value.type.tensor_type
            if kinds.elem_type != _ONNX_TYPES[tensor.dtype]:
                raise SpecError(f"{spec.role}: {kind} {tensor.name} is not {tensor.dtype.value} in the graph")
            shape = [d.dim_value if d.HasField("dim_value") else -1 for d in kinds.shape.dim]
            if shape != [-1, *tensor.dims]:
                raise SpecError(f"{spec.role}: {kind} {tensor.name} is {shape} in the graph, not {[-1, *tensor.dims]}")


def _largest_difference(stage: Stage, graph: onnx.ModelProto) -> float:
    """Graph against module at shapes other than the one it was traced with."""
    generator = np.random.default_rng(1)
    worst = 0.0
    for batch, fraction in ((1, 0.6), (3, 0.2)):
        lengths = {axis.label: axis.at(fraction) for axis in stage.spec.axes()}
        inputs = stage.sample(batch, lengths, generator)
        expected, actual = in_double(stage, inputs), run_onnx(graph, inputs)
        for name, value in expected.items():
            if value.shape != actual[name].shape:
                return float("inf")
            worst = max(worst, float(np.abs(value - actual[name]).max()))
    return worst
