"""Configs are what the specifications say, what Triton reads, and what the graphs have."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from export import configs
from export.errors import ExportError
from export.families.fastspeech2 import demo, stages
from export.profile_values import PLAIN
from export.repository import check_name, checked_in_configs, voice_configs
from export.specs import Axis, DType, StageSpec, TensorSpec
from server.plans import sha256

STAGES = tuple(f"demo_{spec.role}" for spec in stages.specs(demo.ACOUSTIC_CONFIG, demo.VOCODER_CONFIG))
TYPES = {pb.TYPE_FP32: onnx.TensorProto.FLOAT, pb.TYPE_INT32: onnx.TensorProto.INT32}


def parse(text):
    return text_format.Parse(text, pb.ModelConfig())


@pytest.mark.parametrize("path", sorted(checked_in_configs(), key=str), ids=str)
def test_a_checked_in_config_is_what_the_specifications_generate(repository, path):
    assert (repository / path).read_text(encoding="utf-8") == checked_in_configs()[path]


@pytest.mark.parametrize("path", sorted(checked_in_configs(), key=str), ids=str)
def test_a_generated_config_is_read_by_tritons_protobuf_and_names_its_folder(path):
    assert parse(checked_in_configs()[path]).name == path.parts[0]


@pytest.mark.parametrize("model", STAGES)
def test_a_stages_config_has_the_inputs_and_outputs_of_its_graph(repository, model):
    config = parse((repository / model / "config.pbtxt").read_text())
    graph = onnx.load(repository / model / "1" / "model.onnx").graph
    for tensors, values in ((config.input, graph.input), (config.output, graph.output)):
        assert [t.name for t in tensors] == [v.name for v in values]
        for tensor, value in zip(tensors, values, strict=True):
            assert TYPES[tensor.data_type] == value.type.tensor_type.elem_type
            dims = [d.dim_value or -1 for d in value.type.tensor_type.shape.dim]
            assert [-1, *tensor.dims] == dims


@pytest.mark.parametrize("model", STAGES)
def test_a_stage_is_warmed_up_and_on_a_gpu_where_there_is_one(repository, model):
    config = parse((repository / model / "config.pbtxt").read_text())
    assert config.backend == "onnxruntime"
    assert config.max_batch_size > 1
    assert config.model_warmup
    assert [group.kind for group in config.instance_group] == [pb.ModelInstanceGroup.KIND_AUTO]


@pytest.mark.parametrize("model", STAGES)
def test_a_manifest_says_what_its_graph_was_made_from(repository, checkpoint, model):
    folder = repository / model / "1"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == {path.name for path in folder.glob("*.onnx")}
    for name, file in manifest["files"].items():
        assert (file["sha256"], file["bytes"]) == (sha256(folder / name), (folder / name).stat().st_size)
    assert manifest["source_sha256"] == {path.name: sha256(path) for path in checkpoint.iterdir()}
    assert manifest["opset"] == onnx.load(folder / "model.onnx").opset_import[0].version
    assert 0 <= manifest["largest_error"] <= 1e-4
    assert manifest["files"]["model.onnx"]["precision"] == ("int8" if model == "demo_fastmelgan" else "fp32")
    assert "torch" in manifest["versions"]


@pytest.mark.parametrize("model", STAGES)
def test_a_graph_tells_nothing_of_the_machine_that_made_it(repository, checkpoint, model):
    data = (repository / model / "1" / "model.onnx").read_bytes()
    assert str(checkpoint.parent.parent).encode() not in data
    assert b"site-packages" not in data


def test_the_ensemble_describes_its_voice(repository):
    parameters = parse((repository / "demo" / "config.pbtxt").read_text()).parameters
    assert parameters["family"].string_value == "fastspeech2"
    assert parameters["sample_rate"].string_value == "24000"
    assert json.loads(parameters["qualities"].string_value) == ["balanced", "fast"]
    assert set(json.loads(parameters["limits"].string_value)) == {"speed", "pitch", "contour", "energy"}


def ensemble(name):
    acoustic, vocoder = demo.ACOUSTIC_CONFIG, demo.VOCODER_CONFIG
    files = voice_configs(demo.voice(name, vocoder.hop_length), stages.specs(acoustic, vocoder))
    return parse(files[Path(name, "config.pbtxt")])


def test_every_tensor_of_an_ensemble_comes_from_somewhere_and_goes_somewhere():
    config = ensemble("demo")
    produced = {tensor.name for tensor in config.input}
    for step in config.ensemble_scheduling.step:
        assert set(step.input_map.values()) <= produced, step.model_name
        outputs = list(step.output_map.values())
        assert produced.isdisjoint(outputs), step.model_name
        produced |= set(outputs)
    assert {tensor.name for tensor in config.output} <= produced


def test_only_the_default_voice_may_be_left_unnamed():
    for name, optional in (("demo", True), ("zhitian", False)):
        (voice,) = (tensor for tensor in ensemble(name).input if tensor.name == "VOICE")
        assert voice.optional is optional


@pytest.mark.parametrize("name", ["", "../x", "a b", "语音", "tts", "text_frontend", "a/b", "."])
def test_a_name_that_cannot_be_a_model_is_refused(name):
    with pytest.raises(ExportError):
        check_name(name)


def test_session_parameters_reach_the_config():
    spec = StageSpec(
        role="x",
        inputs=(TensorSpec("a", DType.FP32, (Axis("n", 1, 2, 3), 4)),),
        outputs=(TensorSpec("b", DType.INT32, (1,)),),
        session={"intra_op_thread_count": "2"},
    )
    config = parse(configs.render(configs.stage("v", spec, PLAIN)))
    assert config.parameters["intra_op_thread_count"].string_value == "2"
    assert list(config.input[0].dims) == [-1, 4]
