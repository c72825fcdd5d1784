"""Graphs whose weights do not go into one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from language_models import RAS, tiny
from onnx import TensorProto, helper, numpy_helper

from export import graph_files
from export.graph_files import data_path, save, saved
from export.graphs import inferred
from export.inference import run_onnx
from export.onnx_export import export_stage
from export.specs import Precision


@pytest.fixture
def graph() -> onnx.ModelProto:
    weight = np.random.default_rng(0).standard_normal((300, 200), dtype=np.float32)
    made = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 300])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(np.zeros(3, np.float32), "small")],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_files, "MOST_BYTES", 1000)
    monkeypatch.setattr(graph_files, "_SMALL", 200)


def test_a_small_graph_is_one_file(graph: onnx.ModelProto, tmp_path: Path) -> None:
    save(graph, tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.usefixtures("everything_is_large")
def test_a_large_graph_computes_the_same_from_two_files(graph: onnx.ModelProto, tmp_path: Path) -> None:
    before = graph.SerializeToString()
    x = {"x": np.random.default_rng(1).standard_normal((2, 300), dtype=np.float32)}
    path = tmp_path / "model.onnx"
    save(graph, path)
    assert graph.SerializeToString() == before
    assert path.stat().st_size < 2000 < data_path(path).stat().st_size
    assert np.array_equal(run_onnx(path, x)["y"], run_onnx(before, x)["y"])
    assert np.array_equal(run_onnx(graph, x)["y"], run_onnx(before, x)["y"])
    assert onnx.load(path).graph.initializer[0].raw_data == graph.graph.initializer[0].raw_data


@pytest.mark.usefixtures("everything_is_large")
def test_shapes_are_inferred_without_the_weights_which_stay(graph: onnx.ModelProto) -> None:
    result = inferred(graph)
    assert result.graph.initializer == graph.graph.initializer
    assert result.graph.output[0].type.tensor_type.shape.dim[1].dim_value == 200


def test_a_temporary_file_is_gone_afterwards(graph: onnx.ModelProto) -> None:
    with saved(graph) as path:
        assert path.is_file()
    assert not path.exists()


@pytest.mark.usefixtures("everything_is_large")
def test_a_large_stage_is_exported_in_both_precisions(tmp_path: Path) -> None:
    stage = tiny(RAS).only((Precision.FP16,)).stage
    accuracy = export_stage(stage, tmp_path)
    assert accuracy.largest_error < 1e-5
    assert accuracy.losses[Precision.FP16].signal_to_noise_db > 35
    names = ["model.fp16.onnx", "model.fp16.onnx.data", "model.onnx", "model.onnx.data"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
