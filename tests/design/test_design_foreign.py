"""A checkpoint's own ONNX files are looked at and tried before they are served."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.change import Change
from export.errors import CheckpointError
from export.families.sculptor.design import Designer
from export.families.sculptor.foreign import ForeignGraph, campplus, speech_tokenizer
from export.profile_values import PROFILES
from export.specs import DType

TOKENS = 6561


def tokenizer(path: Path) -> ForeignGraph:
    return speech_tokenizer(path, TOKENS)


def speaker(path: Path) -> ForeignGraph:
    return campplus(path, 192)


def check_refused(read: Callable[[Path], ForeignGraph], path: Path, message: str) -> None:
    with pytest.raises(CheckpointError) as error:
        read(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def constant(values: np.ndarray, shape: list[int | str], inputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
    """A graph that answers the same whatever it is given."""
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["values"], ["answer"])],
        "constant",
        inputs,
        [helper.make_tensor_value_info("answer", kind, shape)],
        [numpy_helper.from_array(values, "values")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


MEL = helper.make_tensor_value_info("mel", TensorProto.FLOAT, [1, 128, "T"])
LENGTH = helper.make_tensor_value_info("length", TensorProto.INT32, [1])
ENERGIES = helper.make_tensor_value_info("energies", TensorProto.FLOAT, ["B", "T", 80])


def test_tensors_are_known_by_their_places(designer: Designer) -> None:
    heard = designer.speech_tokenizer
    assert [(t.name, t.dtype, t.dims) for t in (*heard.inputs, *heard.outputs)] == [
        ("feats", DType.FP32, (1, 128, -1)),
        ("feats_length", DType.INT32, (1,)),
        ("indices", DType.INT32, (1, -1)),
    ]
    known = designer.campplus
    assert [(t.name, t.dtype, t.dims) for t in (*known.inputs, *known.outputs)] == [
        ("input", DType.FP32, (-1, -1, 80)),
        ("output", DType.FP32, (-1, 192)),
    ]


def test_names_and_types_are_the_files_own(tmp_path: Path) -> None:
    path = tmp_path / "speech_tokenizer_v2.onnx"
    onnx.save(constant(np.arange(50), [50], [MEL, LENGTH]), path)
    part = tokenizer(path)
    assert [tensor.name for tensor in (*part.inputs, *part.outputs)] == ["mel", "length", "answer"]
    assert (part.outputs[0].dtype, part.outputs[0].dims) == (DType.INT64, (50,))


def test_a_file_is_served_as_it_is(designer: Designer, tmp_path: Path) -> None:
    part = designer.speech_tokenizer
    told: list[str] = []
    part.put(Change(tmp_path, tmp_path), "ming_speech_tokenizer", told.append)
    copied = tmp_path / "ming_speech_tokenizer" / "1" / "model.onnx"
    assert copied.read_bytes() == part.path.read_bytes()
    assert told == ["copied speech_tokenizer_v2.onnx as ming_speech_tokenizer"]
    for profile in PROFILES.values():
        config = part.config("ming_speech_tokenizer", profile)
        assert (config.name, config.backend, config.max_batch_size) == ("ming_speech_tokenizer", "onnxruntime", 0)
        assert [list(tensor.dims) for tensor in (*config.input, *config.output)] == [[1, 128, -1], [1], [1, -1]]


def test_a_file_that_is_gone_is_told(checkpoint: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(checkpoint / "campplus.onnx", tmp_path))
    part = speaker(path)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"cannot copy .*campplus\.onnx: No such file"):
        part.put(Change(tmp_path, tmp_path), "ming_campplus", print)
    check_refused(speaker, path, "cannot read")


@pytest.mark.parametrize("content", [b"", b"no graph", b"version https://git-lfs.github.com/spec/v1\nsize 1\n"])
def test_bytes_that_are_no_graph_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "campplus.onnx"
    path.write_bytes(content)
    check_refused(speaker, path, "fetch it again")


def test_a_file_that_was_cut_short_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "campplus.onnx"
    path.write_bytes((checkpoint / "campplus.onnx").read_bytes()[:-500])
    check_refused(speaker, path, "fetch it again")


def test_the_two_files_are_not_mistaken_for_each_other(checkpoint: Path) -> None:
    check_refused(tokenizer, checkpoint / "campplus.onnx", "instead of FP32 [1, 128, -1] and INT32 [1]")
    check_refused(speaker, checkpoint / "speech_tokenizer_v2.onnx", "instead of FP32 [1, -1, 80]")


def test_weights_in_other_files_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "campplus.onnx"
    model = onnx.load(checkpoint / "campplus.onnx")
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=0)
    check_refused(speaker, path, "keeps weights in other files")


def test_weights_in_other_files_are_found_inside_of_branches(tmp_path: Path) -> None:
    secret = numpy_helper.from_array(np.zeros(192, dtype=np.float32), "secret")
    secret.data_location = TensorProto.EXTERNAL
    secret.ClearField("raw_data")
    secret.external_data.add(key="location", value="../../etc/passwd")
    value = helper.make_tensor_value_info("given", TensorProto.FLOAT, [192])
    branch = helper.make_graph([helper.make_node("Constant", [], ["given"], value=secret)], "branch", [], [value])
    model = constant(np.array(True), [], [ENERGIES])
    model.graph.node.append(helper.make_node("If", ["values"], ["out"], then_branch=branch, else_branch=branch))
    path = tmp_path / "campplus.onnx"
    path.write_bytes(model.SerializeToString())
    check_refused(speaker, path, "keeps weights in other files")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.arange(49, dtype=np.int32), ""),
        (np.arange(100, dtype=np.int32), "gives 100 tokens for 200 frames, 25 for a second"),
        (np.zeros(0, dtype=np.int32), "gives 0 tokens"),
        (np.full(50, TOKENS, dtype=np.int32), "gives tokens up to 6561, the flow knows 6561"),
        (np.full(50, -1, dtype=np.int32), "gives tokens up to -1"),
        (np.zeros(50, dtype=np.float32), "gives tensor(float), INT32 is expected"),
    ],
)
def test_tokens_are_counted_and_compared_with_the_flows(tmp_path: Path, values: np.ndarray, message: str) -> None:
    path = tmp_path / "speech_tokenizer_v2.onnx"
    onnx.save(constant(values, [len(values)], [MEL, LENGTH]), path)
    if message:
        check_refused(tokenizer, path, message)
    else:
        assert tokenizer(path).role == "speech_tokenizer"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((1, 512), dtype=np.float32), "gives 512 numbers instead of an x-vector of 192"),
        (np.full((1, 192), np.nan, dtype=np.float32), "gives NaN or infinite values"),
    ],
)
def test_x_vectors_are_looked_at(tmp_path: Path, values: np.ndarray, message: str) -> None:
    path = tmp_path / "campplus.onnx"
    onnx.save(constant(values, list(values.shape), [ENERGIES]), path)
    check_refused(speaker, path, message)


def test_operators_that_nobody_knows_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    model = onnx.load(checkpoint / "campplus.onnx")
    model.graph.node[0].domain = "my.company"
    path = tmp_path / "campplus.onnx"
    path.write_bytes(model.SerializeToString())
    check_refused(speaker, path, "ONNX Runtime cannot load")


def test_a_graph_that_fails_on_sound_is_refused(tmp_path: Path) -> None:
    model = constant(np.array([1, 7]), ["B", "T"], [ENERGIES])
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("Reshape", ["energies", "values"], ["answer"]))
    path = tmp_path / "campplus.onnx"
    path.write_bytes(model.SerializeToString())
    check_refused(speaker, path, "fails on two seconds of sound")
