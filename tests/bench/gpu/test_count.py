"""What a graph costs, against sums by hand."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.gpu.count import CountError, count


@pytest.fixture
def written(tmp_path):
    """Writes a graph of nodes with inputs, outputs and constants given by their shapes."""

    def write(nodes, inputs, outputs, constants=()):
        values = [
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in each.items()]
            for each in (inputs, outputs)
        ]
        tensors = [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in dict(constants).items()]
        graph = helper.make_graph(nodes, "graph", *values, tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        onnx.checker.check_model(model)
        onnx.save(model, tmp_path / "model.onnx")
        return tmp_path / "model.onnx"

    return write


def test_a_convolution_multiplies_its_kernel_at_every_place(written):
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], dilations=[2], pads=[2, 2])
    file = written([node], {"x": ["batch", 4, "time"]}, {"y": ["batch", 6, "time"]}, {"w": (6, 4, 3), "b": (6,)})
    work = count(file, {"x": (2, 4, 10)})
    assert work.flops == 2 * (2 * 6 * 10) * (4 * 3)
    assert work.elements == 2 * 4 * 10 + 6 * 4 * 3 + 6 + 2 * 6 * 10


def test_a_grouped_convolution_sees_its_own_channels_only(written):
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=4)
    file = written([node], {"x": [1, 4, 10]}, {"y": [1, 8, 8]}, {"w": (8, 1, 3)})
    assert count(file, {"x": (1, 4, 10)}).flops == 2 * (8 * 8) * 3


def test_a_transposed_convolution_multiplies_its_kernel_for_every_input(written):
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[8], pads=[4, 4])
    file = written([node], {"x": [1, 4, 10]}, {"y": [1, 2, 80]}, {"w": (4, 2, 16)})
    assert count(file, {"x": (1, 4, 10)}).flops == 2 * (4 * 10) * (2 * 16)


def test_a_product_counts_what_is_summed(written):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])]
    file = written(nodes, {"x": ["batch", 5, 7]}, {"z": ["batch", 5, 3]}, {"w": (7, 3)})
    work = count(file, {"x": (4, 5, 7)})
    assert work.flops == 2 * 4 * 5 * 7 * 3
    assert [node.kind for node in work.nodes] == ["MatMul"]


def test_an_axis_of_whole_steps_has_a_length_like_any_other(written):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    file = written([node], {"x": ["batch", "3*frames", 7]}, {"y": ["batch", "3*frames", 2]}, {"w": (7, 2)})
    assert count(file, {"x": (1, 12, 7)}).flops == 2 * 12 * 7 * 2


def test_shapes_that_the_graph_computes_are_known(written):
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Reshape", ["x", "shape"], ["same"]),
        helper.make_node("MatMul", ["same", "w"], ["y"]),
    ]
    file = written(nodes, {"x": ["batch", 7]}, {"y": ["batch", 3]}, {"w": (7, 3)})
    assert count(file, {"x": (4, 7)}).flops == 2 * 4 * 7 * 3


def test_an_lstm_counts_both_of_its_products_at_every_step(written):
    node = helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=8)
    file = written([node], {"x": [11, 2, 5]}, {"y": [11, 1, 2, 8]}, {"w": (1, 32, 5), "r": (1, 32, 8)})
    assert count(file, {"x": (11, 2, 5)}).flops == 2 * 11 * 2 * 32 * (5 + 8)


def test_a_scan_counts_its_body_as_often_as_it_runs(written):
    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "w"], ["product"]),
            helper.make_node("Mul", ["product", "item"], ["next"]),
            helper.make_node("Identity", ["next"], ["out"]),
        ],
        "body",
        [value("state", ["batch", 4]), value("item", ["batch", 4])],
        [value("next", ["batch", 4]), value("out", ["batch", 4])],
    )
    node = helper.make_node("Scan", ["start", "x"], ["last", "y"], body=body, num_scan_inputs=1)
    file = written(
        [node],
        {"start": ["batch", 4], "x": ["time", "batch", 4]},
        {"last": ["batch", 4], "y": ["time", "batch", 4]},
        {"w": (4, 4)},
    )
    work = count(file, {"start": (3, 4), "x": (9, 3, 4)})
    assert work.flops == 9 * (2 * 3 * 4 * 4)
    assert work.elements == 9 * (3 * 4 + 3 * 4) + 4 * 4  # the weight is read once


def test_a_branch_is_not_counted_but_told(written):
    def branch(name):
        output = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, ["batch", 4])
        return helper.make_graph([helper.make_node(name, ["x"], [f"{name}_y"])], name, [], [output])

    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["condition"], to=TensorProto.BOOL),
        helper.make_node("If", ["condition"], ["y"], then_branch=branch("Relu"), else_branch=branch("Tanh")),
    ]
    file = written(nodes, {"x": ["batch", 4]}, {"y": ["batch", 4]})
    with pytest.raises(CountError, match="depends on data"):
        count(file, {"x": (2, 4)})


def test_the_least_time_is_that_of_arithmetic_or_of_memory_node_by_node(written):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("MatMul", ["y", "v"], ["z"])]
    file = written(nodes, {"x": [1, 100]}, {"z": [1, 1]}, {"w": (100, 10), "v": (10, 1)})
    first, second = 2 * 100 * 10, 2 * 10
    elements = (100 + 1000 + 10, 10 + 10 + 1)
    work = count(file, {"x": (1, 100)})
    assert work.seconds(1.0, 1e9, 4) == pytest.approx(first + second)
    assert work.seconds(1e9, 1.0, 2) == pytest.approx(2 * sum(elements))


def test_the_stages_of_a_voice_are_counted_whole(repository):
    work = count(repository / "demo_melgan" / "1" / "model.onnx", {"mel": (1, 80, 80)})
    # A second of audio; about 0.84 thousand million multiply-adds as published, a few more as it is served.
    assert 1.5e9 < work.flops < 2.2e9
    twice = count(repository / "demo_melgan" / "1" / "model.onnx", {"mel": (2, 80, 80)})
    assert twice.flops == pytest.approx(2 * work.flops)
