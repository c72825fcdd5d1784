"""Float16 is where it pays and nowhere else, it is close to float32, and it does not overflow."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from hifigans import random_generator
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from sambert_models import decoder, encoder, model
from torch import nn

from export.bundle import Stage
from export.errors import SpecError
from export.families.fastspeech2 import modules, stages
from export.families.sambert.acoustic_stages import decoder_stage, encoder_stage
from export.graphs import Values, body, inferred, walk
from export.half import to_half
from export.half_check import LEAST_SNR, in_half, with_rounding
from export.inference import run_onnx
from export.manifest import manifest, sha256, text
from export.mel import MelFormat
from export.onnx_export import IR_VERSION, OPSET, export_stage
from export.specs import FLOATS, Axis, DType, Precision, StageKind, StageSpec, TensorSpec
from export.vocoders.hifigan import HiFiGANConfig
from export.vocoders.melgan import MelGAN, MelGANConfig
from export.vocoders.nsf import F0Scale
from export.vocoders.served import served
from export.vocoders.vocoder import vocoder_stage

SMALL = modules.FastSpeech2Config(
    vocabulary=219, hidden=16, positions=1300, attention=16, heads=2, filter=24, encoder_layers=1, decoder_layers=1,
    bands=8, postnet_layers=3, postnet_channels=16,
)  # fmt: skip
HIFIGAN = HiFiGANConfig(
    bands=8, channels=(16, 8), kernel=7, scales=(8,), upsample_kernels=(16,), crops=(4,), block_kernels=(3,),
    block_dilations=((1, 3),), slope=0.1, paired=True, bias=True, block_bias=True, causal=False, replicated=0,
    periodic=False, harmonics=0, sample_rate=0,
)  # fmt: skip
MELGAN = MelGANConfig(bands=8, channels=(16, 8), scales=(4,), kernel=7, stacks=1, subbands=1, taps=0, odd_right=False)
MEL = MelFormat(
    sample_rate=16000, hop_length=8, bands=8, n_fft=64, win_length=64, fmin=0.0, fmax=None, scale="ln",
    statistics=None, normalised=False,
)  # fmt: skip
# What must not be computed in float16.
WIDE = {
    "Cos", "CumSum", "Exp", "Floor", "LayerNormalization", "Log", "Mish", "Pow", "ReduceMax", "ReduceMean", "ReduceSum",
    "Round", "Sin", "Softmax", "Softplus", "Sqrt",
}  # fmt: skip


def fastspeech2(kind):
    torch.manual_seed(0)
    module = (modules.Encoder if kind == "encoder" else modules.Decoder)(SMALL).eval().requires_grad_(False)
    spec = (stages.encoder_spec if kind == "encoder" else stages.decoder_spec)(SMALL)
    return Stage(spec, module, stages.sample)


def melgan():
    torch.manual_seed(0)
    return vocoder_stage(served(MelGAN(MELGAN).eval().requires_grad_(False), MEL, ()), "melgan")


def hifigan(**changes):
    config = replace(HIFIGAN, **changes)
    scale = F0Scale(50.0, 200.0) if config.harmonics else None
    return vocoder_stage(served(random_generator(config), MEL, (), scale), "hifigan")


KINDS = {
    "fastspeech2 encoder": lambda: fastspeech2("encoder"),
    "fastspeech2 decoder": lambda: fastspeech2("decoder"),
    "sambert encoder": lambda: encoder_stage(encoder(model())),
    "sambert decoder": lambda: decoder_stage(decoder(model(decoder_num_heads=1))),
    "melgan": melgan,
    "hifigan": hifigan,
    "nsf hifigan": lambda: hifigan(harmonics=4, sample_rate=16000, periodic=True),
}


@pytest.fixture(scope="module", params=KINDS)
def exported(request, tmp_path_factory):
    """A stage of each kind at toy size, what its export told, and its folder."""
    stage = KINDS[request.param]()
    stage = replace(stage, quantization=None, spec=replace(stage.spec, precisions=FLOATS))
    folder = tmp_path_factory.mktemp("stage")
    return stage, export_stage(stage, folder), folder


def types(graph):
    """Every node with the types of its results."""
    values = Values(graph)
    return [(node, {values.type(name) for name in node.output if name}) for node in walk(graph)]


def test_every_kind_of_stage_is_close_to_float32_and_computes_products_in_float16_and_sensitive_things_not(exported):
    stage, accuracy, folder = exported
    loss = accuracy.losses[Precision.FP16]
    assert loss.signal_to_noise_db >= LEAST_SNR
    found = types(onnx.load(folder / "model.fp16.onnx").graph)
    in_float16 = Counter(node.op_type for node, kinds in found if TensorProto.FLOAT16 in kinds)
    assert in_float16.keys() & {"Conv", "MatMul"}
    assert not in_float16.keys() & WIDE
    wide = [node.name for node, kinds in found if node.op_type in ("Conv", "LSTM") and TensorProto.FLOAT in kinds]
    assert len(wide) <= (stage.spec.kind is StageKind.VOCODER)
    assert (folder / "model.fp16.onnx").stat().st_size < (folder / "model.onnx").stat().st_size


def test_nothing_is_cast_twice_or_to_and_fro_or_in_a_loop_without_need(exported):
    graph = onnx.load(exported[2] / "model.fp16.onnx").graph
    casts = [node for node, kinds in types(graph) if node.op_type == "Cast" and TensorProto.FLOAT16 in kinds]
    sources = [node.input[0] for node in casts]
    assert len(sources) == len(set(sources))
    made_by_casts = {name for node, _ in types(graph) if node.op_type == "Cast" for name in node.output}
    assert not [node.name for node in casts if node.name.startswith("cast_") and node.input[0] in made_by_casts]
    for node in graph.node:
        if loop := body(node):
            inside = {name for inner in loop.node for name in inner.output} | {value.name for value in loop.input}
            assert all(inner.input[0] in inside for inner in loop.node if inner.op_type == "Cast")


def model_of(nodes, constants=(), shape=("batch", "time", 8), output=None):
    """A graph from x to y, where z is x after a first layer."""
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)]
        for name, dims in (("x", shape), ("y", output or shape))
    )
    constants = [*constants, ("identity", np.eye(8))]
    made = [numpy_helper.from_array(np.asarray(value, dtype=np.float32), name) for name, value in constants]
    first = helper.make_node("MatMul", ["x", "identity"], ["z"])
    graph = helper.make_graph([first, *nodes], "graph", inputs, outputs, made)
    return inferred(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION))


TIME = Axis("time", 4, 8, 16)


def stage_of():
    """A stage for such a graph, with inputs of a standard normal distribution."""
    tensors = [TensorSpec(name, DType.FP32, (TIME, 8)) for name in "xy"]
    return Stage(StageSpec("vocoder", (tensors[0],), (tensors[1],)), nn.Identity(), stages.sample)


def test_a_graph_that_overflows_in_float16_is_refused_though_onnx_runtime_does_not_show_it():
    nodes = [helper.make_node("MatMul", ["z", "up"], ["large"]), helper.make_node("MatMul", ["large", "down"], ["y"])]
    large = model_of(nodes, [("up", np.full((8, 8), 3e4)), ("down", np.full((8, 8), 1e-4))])
    inputs = {"x": np.full((1, 4, 8), 2.0, dtype=np.float32)}
    assert np.isfinite(run_onnx(to_half(large).SerializeToString(), inputs)["y"]).all()
    assert not np.isfinite(run_onnx(with_rounding(to_half(large)).SerializeToString(), inputs)["y"]).all()
    with pytest.raises(SpecError, match="vocoder overflows in float16: give --precision fp32 alone"):
        in_half(stage_of(), large)


def test_a_graph_that_loses_too_much_in_float16_is_refused():
    # What is left of the difference of two large numbers.
    nodes = [
        helper.make_node("MatMul", ["z", "identity"], ["same"]),
        helper.make_node("Add", ["same", "offset"], ["shifted"]),
        helper.make_node("MatMul", ["shifted", "identity"], ["again"]),
        helper.make_node("Sub", ["again", "offset"], ["y"]),
    ]
    lossy = model_of(nodes, [("offset", [300.0])])
    with pytest.raises(SpecError, match="in float16 y of vocoder is off by"):
        in_half(stage_of(), lossy)


def test_a_loop_of_another_kind_than_scan_is_refused():
    branch = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])], "b", [], [helper.make_tensor_value_info("z", 1, None)]
    )
    condition = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True)))
    choice = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    with pytest.raises(SpecError, match="a graph with a If can only be had in float32"):
        to_half(model_of([condition, choice]))


def kinds_of(proto, *names):
    values = Values(to_half(proto).graph)
    return [values.type(name) for name in names]


def test_the_first_layer_is_computed_in_float32():
    nodes = [helper.make_node("MatMul", ["z", "weight"], ["product"]), helper.make_node("Identity", ["product"], ["y"])]
    assert kinds_of(model_of(nodes, [("weight", np.eye(8))]), "z", "product") == [
        TensorProto.FLOAT,
        TensorProto.FLOAT16,
    ]


def test_numbers_that_float16_does_not_have_stay_in_float32():
    nodes = [
        helper.make_node("MatMul", ["z", "weight"], ["product"]),
        helper.make_node("Mul", ["product", "million"], ["large"]),
        helper.make_node("MatMul", ["large", "tiny"], ["y"]),
    ]
    proto = model_of(nodes, [("weight", np.eye(8)), ("million", [1e6]), ("tiny", np.eye(8) * 1e-6)])
    assert kinds_of(proto, "product", "large") == [TensorProto.FLOAT16, TensorProto.FLOAT]


def test_what_is_joined_with_a_float32_value_becomes_float32():
    nodes = [
        helper.make_node("MatMul", ["z", "weight"], ["product"]),
        helper.make_node("CumSum", ["x", "axis"], ["phase"]),
        helper.make_node("Concat", ["product", "phase"], ["both"], axis=2),
        helper.make_node("Transpose", ["both"], ["y"], perm=[0, 1, 2]),
    ]
    proto = model_of(nodes, [("weight", np.eye(8))], output=("batch", "time", 16))
    proto.graph.initializer.append(numpy_helper.from_array(np.array(1), "axis"))
    assert kinds_of(proto, "product", "both") == [TensorProto.FLOAT16, TensorProto.FLOAT]


UNARY = ["Relu", "Tanh", "Sigmoid", "Softmax", "Exp", "Neg", "Identity", "Floor"]
BINARY = ["Add", "Mul", "Sub", "Max"]
STEP = st.tuples(st.sampled_from([*UNARY, *BINARY, "MatMul", "Clip"]), st.integers(0, 100), st.integers(0, 100))


@given(st.lists(STEP, min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_any_graph_of_these_operators_has_types_that_fit_and_computes_nearly_the_same(steps):
    names, nodes = ["x"], [helper.make_node("Tanh", ["z"], ["v0"])]
    names.append("v0")
    for number, (kind, first, second) in enumerate(steps, start=1):
        inputs = [names[first % len(names)]]
        if kind in BINARY:
            inputs.append((["half", *names])[second % (len(names) + 1)])
        elif kind == "MatMul":
            inputs.append("weight")
        nodes += [
            helper.make_node(kind, [*inputs, "low", "half"] if kind == "Clip" else inputs, [f"w{number}"]),
            # Small numbers everywhere, so that errors stay small, too.
            helper.make_node("Mul", [f"w{number}", "half"], [f"v{number}"]),
        ]
        names.append(f"v{number}")
    nodes.append(helper.make_node("Identity", [names[-1]], ["y"]))
    weight = np.random.default_rng(0).normal(0, 0.2, (8, 8))
    exact = model_of(nodes, [("weight", weight), ("half", np.float32(0.5)), ("low", np.float32(-0.5))])
    graph = to_half(exact)
    onnx.checker.check_model(graph, full_check=True)
    x = np.random.default_rng(1).standard_normal((2, 5, 8)).astype(np.float32)
    if "Floor" in {kind for kind, _, _ in steps}:
        run_onnx(graph.SerializeToString(), {"x": x})
        return
    wanted, got = (run_onnx(p.SerializeToString(), {"x": x})["y"] for p in (exact, with_rounding(graph)))
    assert np.abs(wanted - got).max() <= 0.02 * max(1.0, np.abs(wanted).max())


def test_the_manifest_of_a_voice_tells_of_every_file(exported):
    stage, accuracy, folder = exported
    content = manifest(family="toy", spec=stage.spec, folder=folder, sources={}, accuracy=accuracy)
    files = json.loads(text(content))["files"]
    assert set(files) == {"model.onnx", "model.fp16.onnx"}
    for name, file in files.items():
        assert (file["bytes"], file["sha256"]) == ((folder / name).stat().st_size, sha256(folder / name))
    assert files["model.fp16.onnx"]["signal_to_noise_db"] >= LEAST_SNR
    assert "signal_to_noise_db" not in files["model.onnx"]
