"""The stage of CosyVoice2's flow as a graph: the same as its module, one loop over weights that are there once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from sculptor_flow import CONFIG, EVERYTHING, batched, mel_of, random_flow, request

from export.families.sculptor.f0_predictor import F0Predictor
from export.families.sculptor.flow_matching import MAX_FRAMES
from export.families.sculptor.flow_stage import TOKENS, flow_stage
from export.families.sculptor.hift_source import Track
from export.graphs import Values, walk
from export.inference import in_double, run_onnx
from export.onnx_export import export_stage
from export.specs import Axis, Precision

# What float32 rounds.
CLOSE = 2e-5


@pytest.fixture(scope="module")
def stage():
    """Of shorter axes: float16 is proved at the longest lengths, of which attention takes the square."""
    torch.manual_seed(4)
    whole = flow_stage(CONFIG, random_flow().float(), Track(F0Predictor(80, 8), 24000, 480))
    short = {"tokens": Axis("tokens", 16, 64, 96), "frames": Axis("frames", 32, 64, 128)}

    def shortened(tensors):
        return tuple(
            replace(tensor, axes=tuple(short.get(getattr(axis, "label", ""), axis) for axis in tensor.axes))
            for tensor in tensors
        )

    spec = replace(whole.spec, inputs=shortened(whole.spec.inputs), outputs=shortened(whole.spec.outputs))
    return replace(whole, spec=spec)


@pytest.fixture(scope="module")
def exported(stage, tmp_path_factory):
    # That the graph computes what its module does, at other shapes than it was traced with, is a condition of export.
    folder = tmp_path_factory.mktemp("flow")
    return folder, export_stage(stage, folder)


def asked(inputs, first, frames, speed=1.0):
    """The served stage's inputs in float32, for `frames` frames from the frame `first` on."""
    floats = {name: value.astype(np.float32) if value.dtype == float else value for name, value in inputs.items()}
    return {**floats, "positions": (first + speed * np.arange(frames, dtype=np.float32))[None]}


def test_the_graph_gives_a_request_the_same_frames_in_a_ragged_batch_as_alone(exported):
    requests = [
        asked(request(1, tokens=21, held=3), 12, 24),
        asked(request(2, tokens=40, prompt=9, chunk=EVERYTHING), 18, 40, speed=1.3),
        asked(request(3, tokens=30, prompt=5, chunk=7), 10, 33, speed=0.5),
    ]
    path = exported[0] / "model.onnx"
    together = run_onnx(path, batched(requests))["mel"]
    for row, one in enumerate(requests):
        alone = run_onnx(path, one)["mel"][0]
        assert np.abs(together[row, : len(alone)] - alone).max() < CLOSE


def test_the_stage_gives_the_frames_that_are_asked_for_with_their_track(stage):
    inputs = request(5, tokens=20)
    got = in_double(stage, asked(inputs, 12, 28))["mel"][0]
    wanted = mel_of(random_flow(), inputs)[0, 12:].numpy()
    assert got.shape == (28, 83)
    assert np.abs(got[:, :80] - wanted).max() < 1e-5
    assert got[:, 82].tolist() == list(range(28))


def test_half_speed_shows_every_frame_and_one_between_each_two(stage):
    inputs = request(5, tokens=20)
    plain = in_double(stage, asked(inputs, 12, 28))["mel"][0, :, :80]
    slow = in_double(stage, asked(inputs, 12, 54, speed=0.5))["mel"][0, :, :80]
    np.testing.assert_allclose(slow[::2], plain[:27], atol=1e-9)
    np.testing.assert_allclose(slow[1::2], (plain[:-1] + plain[1:]) / 2, atol=1e-9)


def test_the_steps_are_one_loop_over_weights_that_are_there_once(exported, stage):
    path = exported[0] / "model.onnx"
    nodes = [node.op_type for node in walk(onnx.load(path).graph)]
    assert nodes.count("Scan") == 1
    # The moments of the steps are constants: the layers that make them are not in the graph.
    parameters = sum(value.numel() for value in stage.module.parameters())
    assert path.stat().st_size < 4 * (parameters + 80 * MAX_FRAMES) + 400_000


def test_in_float16_products_are_halved_and_norms_and_softmax_are_not(exported):
    graph = onnx.load(exported[0] / "model.fp16.onnx").graph
    values = Values(graph)
    types = {name: set() for name in ("LayerNormalization", "Softmax", "Conv", "MatMul")}
    for node in walk(graph):
        if node.op_type in types:
            types[node.op_type].add(values.type(node.output[0]))
    assert types["LayerNormalization"] == types["Softmax"] == {TensorProto.FLOAT}
    assert TensorProto.FLOAT16 in types["Conv"] & types["MatMul"]


def test_float16_keeps_the_mel(exported):
    assert exported[1].losses[Precision.FP16].signal_to_noise_db > 45


def test_samples_are_requests_that_can_be(stage):
    lengths = {"tokens": 64, "prompt_frames": 24, "frames": 40}
    inputs = stage.sample(8, lengths, np.random.default_rng(0))
    heard = 2 * (inputs["token_lengths"] - inputs["held"])
    assert (inputs["prompt_lengths"] < heard).all()
    assert (inputs["positions"] < heard).all()
    assert ((inputs["positions"] < 0).sum(1) > 0).any()
    assert set(inputs["chunk"].ravel()) == {25, TOKENS.maximum}
    assert set(inputs["held"].ravel()) == {0, 3}
