"""Layers as int8 matrix products compute what they do in float, but for the rounding of inputs and weights."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from export.bundle import Form, Quantization
from export.errors import SpecError
from export.inference import run_onnx
from export.products import Steps
from export.quantize import quantize

CHANNELS = 8


def graph(kind, weight, shape, bias=True, **attributes):
    inputs = ["x", "layer.weight"] + (["layer.bias"] if bias else [])
    outputs = weight.shape[0] if kind == "Conv" or attributes.get("transB") else weight.shape[-1]
    constants = [
        numpy_helper.from_array(weight.astype(np.float32), "layer.weight"),
        numpy_helper.from_array(np.linspace(-1, 1, outputs, dtype=np.float32), "layer.bias"),
    ]
    made = helper.make_graph(
        [helper.make_node(kind, inputs, ["y"], name="layer", **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants[: 1 + bias],
    )
    return helper.make_model(made, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


LAYERS = {
    "a convolution of height 1": (
        graph("Conv", normal(6, CHANNELS, 1, 3), ["B", CHANNELS, 1, "T"], pads=[0, 1, 0, 1]),
        (2, CHANNELS, 1, 40),
    ),
    "one with holes, padded on the left": (
        graph("Conv", normal(6, CHANNELS, 1, 3), ["B", CHANNELS, 1, "T"], pads=[0, 8, 0, 0], dilations=[1, 4]),
        (2, CHANNELS, 1, 40),
    ),
    "one of a single tap": (graph("Conv", normal(6, CHANNELS, 1, 1), ["B", CHANNELS, 1, "T"]), (2, CHANNELS, 1, 40)),
    "a convolution of one axis without bias": (
        graph("Conv", normal(6, CHANNELS, 5), ["B", CHANNELS, "T"], bias=False, pads=[2, 2]),
        (2, CHANNELS, 40),
    ),
    "a matrix product": (graph("MatMul", normal(CHANNELS, 6), ["B", "T", CHANNELS], bias=False), (2, 40, CHANNELS)),
    "a transposed one with a bias": (graph("Gemm", normal(6, CHANNELS), ["B", CHANNELS], transB=1), (40, CHANNELS)),
}


def in_int8(proto, shape, least_snr=30.0):
    inputs = [{"x": normal(*shape, seed=seed)} for seed in range(1, 4)]
    return quantize(proto, Quantization(("layer.",), lambda: inputs, least_snr))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_product_is_close_to_its_layer_and_its_scales_do_not_depend_on_what_else_is_said(layer):
    proto, shape = LAYERS[layer]
    quantised, ratio = in_int8(proto, shape)
    assert 30.0 < ratio < 60.0
    assert "QuantizeLinear" in {node.op_type for node in quantised.graph.node}
    x = normal(*shape, seed=9)
    together = run_onnx(quantised.SerializeToString(), {"x": x})["y"]
    for item in range(len(x)):
        alone = run_onnx(quantised.SerializeToString(), {"x": x[item : item + 1]})["y"][0]
        np.testing.assert_allclose(alone, together[item], atol=1e-5)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_same_graph_comes_out_every_time_and_holds_its_weight_in_int8_alone(layer):
    proto, shape = LAYERS[layer]
    first, second = (in_int8(proto, shape)[0] for _ in range(2))
    assert first.SerializeToString() == second.SerializeToString()
    kinds = {tensor.name: tensor.data_type for tensor in first.graph.initializer}
    assert kinds["layer.weight/int8"] == TensorProto.INT8
    assert "layer.weight" not in kinds


def test_layers_that_share_an_input_bring_it_to_int8_once():
    proto, shape = LAYERS["a matrix product"]
    proto = onnx.ModelProto.FromString(proto.SerializeToString())
    proto.graph.initializer.append(numpy_helper.from_array(normal(CHANNELS, 3), "layer.other"))
    proto.graph.node.append(helper.make_node("MatMul", ["x", "layer.other"], ["z"], name="other"))
    proto.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    kinds = [node.op_type for node in in_int8(proto, shape)[0].graph.node]
    assert (kinds.count("MatMul"), kinds.count("QuantizeLinear")) == (2, 1)


@pytest.mark.parametrize(
    "proto",
    [
        graph("Conv", normal(CHANNELS, 4, 1, 3), ["B", CHANNELS, 1, "T"], group=2),
        graph("Conv", normal(6, CHANNELS, 1, 3), ["B", CHANNELS, 1, "T"], strides=[1, 2]),
        graph("Conv", normal(6, CHANNELS, 3, 3), ["B", CHANNELS, "H", "T"]),
    ],
    ids=["groups", "stride", "two axes"],
)
def test_a_layer_that_is_no_plain_product_is_refused(proto):
    with pytest.raises(SpecError, match="leave it in float"):
        in_int8(proto, (2, CHANNELS, 8, 40) if proto.graph.initializer[0].dims[2] == 3 else (2, CHANNELS, 1, 40))


def test_a_product_that_loses_too_much_is_refused():
    with pytest.raises(SpecError, match="not 90"):
        in_int8(*LAYERS["a matrix product"], least_snr=90.0)


def test_convolutions_from_int8_to_int8_are_the_other_form():
    proto, shape = LAYERS["a convolution of height 1"]
    inputs = [{"x": normal(*shape, seed=seed)} for seed in range(1, 4)]
    quantised, _ = quantize(proto, Quantization(("layer.",), lambda: inputs, 20.0, Form.CONVOLUTIONS))
    assert [node.op_type for node in quantised.graph.node].count("Conv") == 1


@given(st.floats(-1e4, 1e4), st.floats(0, 1e4), st.floats(0, 1))
def test_steps_cover_their_range_and_write_zero_exactly(low, width, part):
    high = low + width
    steps = Steps.between(low, high)
    value = low + part * width
    written = np.clip(np.rint(value / steps.scale) + steps.zero, 0, 255)
    assert abs((written - steps.zero) * steps.scale - value) <= 1.01 * steps.scale + 1e-4
    assert 0 <= steps.zero <= 255
