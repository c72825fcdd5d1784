"""The decoder in int8 stays close to the float32 one, and an item of a padded batch is what it is alone."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import torch
from torch.nn import functional as F

from export.families.fastspeech2.checkpoint import load
from export.families.fastspeech2.modules import mish
from export.families.fastspeech2.stages import load_stages
from export.inference import run_onnx


@pytest.fixture(scope="module")
def sentences(checkpoint):
    """The decoder's inputs, a sentence each."""
    chain = {stage.spec.role: stage for stage in load_stages(load(checkpoint))}
    return chain["decoder"].quantization.inputs()


@pytest.fixture(scope="module")
def folder(repository):
    return repository / "demo_decoder" / "1"


def test_it_is_as_close_as_its_manifest_says(folder, sentences):
    exact, rounded = (run_onnx(folder / name, sentences[-1])["mel"] for name in ("model.onnx", "model.int8.onnx"))
    ratio = 10 * np.log10(np.square(exact).sum() / np.square(exact - rounded).sum())
    manifest = json.loads((folder / "manifest.json").read_text())["files"]["model.int8.onnx"]
    assert ratio == pytest.approx(manifest["signal_to_noise_db"], abs=0.5)
    assert ratio >= manifest["least_signal_to_noise_db"]


def test_its_convolutions_are_products_in_int8_and_nothing_else_is(folder):
    exact, rounded = (onnx.load(folder / name).graph for name in ("model.onnx", "model.int8.onnx"))
    kinds = [node.op_type for node in rounded.node]
    assert "Conv" not in kinds
    convolutions = [node.op_type for node in exact.node].count("Conv")
    assert kinds.count("DequantizeLinear") == 2 * convolutions
    assert kinds.count("Softmax") == [node.op_type for node in exact.node].count("Softmax")


def test_an_item_of_a_padded_batch_is_decoded_as_alone(folder, sentences):
    chosen = sentences[:3]

    def batch(name):
        longest = max(one[name].shape[1] for one in chosen) + (40 if name == "alignment" else 0)
        return np.concatenate(
            [
                np.pad(one[name], ((0, 0), (0, longest - one[name].shape[1]), *((0, 0),) * (one[name].ndim - 2)))
                for one in chosen
            ]
        )

    together = {"hidden": batch("hidden"), "alignment": batch("alignment")}
    together["frame_lengths"] = np.concatenate([one["frame_lengths"] for one in chosen])
    mels = run_onnx(folder / "model.int8.onnx", together)["mel"]
    for one, mel in zip(chosen, mels, strict=True):
        alone, length = run_onnx(folder / "model.int8.onnx", one)["mel"][0], one["frame_lengths"][0, 0]
        np.testing.assert_allclose(mel[:length], alone[:length], atol=1e-4)
        assert (mel[length:] == mel[length - 1]).all()


def test_mish_by_one_sigmoid_is_mish_and_finite_in_float16():
    x = torch.linspace(-80, 80, 2001, dtype=torch.float64)
    torch.testing.assert_close(mish(x), F.mish(x), rtol=1e-12, atol=1e-12)
    assert mish(torch.tensor([-6e4, -20.0, 0.0, 20.0, 6e4], dtype=torch.float16)).isfinite().all()
