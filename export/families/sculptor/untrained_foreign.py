"""The two ONNX files that a CosyVoice2 checkpoint brings along, with the real ones' inputs and outputs.

They are a few kilobytes at every size: what they compute depends on what they hear, and that is all.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.families.sculptor.untrained_language import Weights

CAMPPLUS = "campplus.onnx"
SPEECH_TOKENIZER = "speech_tokenizer_v2.onnx"

_BANDS, _SPEAKER = 80, 192
_WHISPER_BANDS, _CHANNELS = 128, 16
# Finite scalar quantisation of CosyVoice2: eight digits to the base of three.
_LEVELS, _DIGITS = 3, 8

Array = npt.NDArray[np.float32]


def write_campplus(path: Path, weights: Weights) -> None:
    """`input` [B, T, 80] FP32 → `output` [B, 192] FP32: a projection of how the bands vary over time."""
    scale = 1 / math.sqrt(_BANDS)
    constants = {"matrix": weights.normal(_BANDS, _SPEAKER, scale=scale).numpy()}
    nodes = [
        helper.make_node("ReduceL2", ["input", "time"], ["size"], keepdims=0),
        helper.make_node("MatMul", ["size", "matrix"], ["output"]),
    ]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["B", "T", _BANDS])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["B", _SPEAKER])]
    _write(path, "campplus", nodes, inputs, outputs, constants, {"time": np.array([1])})


def write_speech_tokenizer(path: Path, weights: Weights) -> None:
    """`feats` [1, 128, T] FP32 and `feats_length` [1] INT32 → `indices` [1, ⌈T/4⌉] INT32, numbers below 6561."""
    constants = {
        "first": _kernel(weights, _CHANNELS, _WHISPER_BANDS, 3),
        "second": _kernel(weights, _CHANNELS, _CHANNELS, 3),
        "digits": 4 * _kernel(weights, _DIGITS, _CHANNELS, 1),
        "almost": np.array(0.999, dtype=np.float32),
        "one": np.array(1.0, dtype=np.float32),
        "powers": (_LEVELS ** np.arange(_DIGITS, dtype=np.float32)).reshape(1, _DIGITS, 1),
    }
    nodes = [
        # What is after the length is silence, as it is for the real one.
        helper.make_node("Shape", ["feats"], ["frames"], start=2, end=3),
        helper.make_node("Squeeze", ["frames"], ["count"]),
        helper.make_node("Range", ["zero", "count", "step"], ["positions"]),
        helper.make_node("Cast", ["feats_length"], ["length"], to=TensorProto.INT64),
        helper.make_node("Less", ["positions", "length"], ["known"]),
        helper.make_node("Cast", ["known"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["feats", "mask"], ["heard"]),
        _halving("heard", "first", "half"),
        helper.make_node("Tanh", ["half"], ["half_bounded"]),
        _halving("half_bounded", "second", "quarter"),
        helper.make_node("Tanh", ["quarter"], ["quarter_bounded"]),
        helper.make_node("Conv", ["quarter_bounded", "digits"], ["values"], kernel_shape=[1]),
        helper.make_node("Tanh", ["values"], ["bounded"]),
        helper.make_node("Mul", ["bounded", "almost"], ["within"]),
        helper.make_node("Round", ["within"], ["rounded"]),
        helper.make_node("Add", ["rounded", "one"], ["levels"]),
        helper.make_node("Mul", ["levels", "powers"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "channels"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["indices"], to=TensorProto.INT32),
    ]
    inputs = [
        helper.make_tensor_value_info("feats", TensorProto.FLOAT, [1, _WHISPER_BANDS, "T"]),
        helper.make_tensor_value_info("feats_length", TensorProto.INT32, [1]),
    ]
    outputs = [helper.make_tensor_value_info("indices", TensorProto.INT32, [1, "N"])]
    integers = {"zero": np.array(0), "step": np.array(1), "channels": np.array([1])}
    _write(path, "speech_tokenizer", nodes, inputs, outputs, constants, integers)


def _halving(value: str, kernel: str, made: str) -> onnx.NodeProto:
    """A convolution after which there are half as many frames, rounded up."""
    return helper.make_node("Conv", [value, kernel], [made], kernel_shape=[3], pads=[1, 1], strides=[2])


def _kernel(weights: Weights, out: int, inputs: int, width: int) -> Array:
    return weights.normal(out, inputs, width, scale=1 / math.sqrt(inputs * width)).numpy()


def _write(
    path: Path,
    name: str,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: dict[str, Array],
    integers: dict[str, npt.NDArray[np.int64]],
) -> None:
    initializers = [numpy_helper.from_array(value, key) for key, value in (constants | integers).items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
