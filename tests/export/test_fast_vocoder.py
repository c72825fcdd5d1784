"""The served form of the vocoder equals the published one, and the int8 one stays close, chunk by chunk as well."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import torch

from export.bundle import Quantization
from export.errors import CheckpointError, SpecError
from export.families.fastspeech2 import calibration
from export.families.fastspeech2.checkpoint import load
from export.families.fastspeech2.stages import FAST, load_stages
from export.inference import in_double, run_onnx
from export.quantize import quantize

HOP = 300
TAIL = 24


@pytest.fixture(scope="module")
def loaded(checkpoint):
    return load(checkpoint)


@pytest.fixture(scope="module")
def chain(loaded):
    return {stage.spec.role: stage for stage in load_stages(loaded)}


@pytest.fixture(scope="module")
def mel(chain):
    """The mel spectrogram of a sentence that the quantisation has not seen."""
    return chain[FAST].quantization.inputs()[-1]["mel"]


def graph(repository, role):
    return repository / f"demo_{role}" / "1" / "model.onnx"


@pytest.mark.parametrize("frames", [64, 101, 250])
def test_the_served_form_computes_what_the_published_one_does(loaded, chain, frames):
    mel = np.random.default_rng(frames).standard_normal((2, frames, 80)).astype(np.float32)
    published = loaded.vocoder.double()
    try:
        with torch.no_grad():
            expected = published(torch.from_numpy(mel).double()).numpy()
    finally:
        published.float()
    assert np.abs(in_double(chain["melgan"], {"mel": mel})["audio"] - expected).max() < 1e-8


def test_the_fast_vocoder_is_as_close_to_the_balanced_one_as_its_manifest_says(repository, mel):
    exact, fast = (run_onnx(graph(repository, role), {"mel": mel})["audio"] for role in ("melgan", FAST))
    ratio = 10 * np.log10(np.square(exact).sum() / np.square(exact - fast).sum())
    path = graph(repository, FAST)
    said = json.loads(path.with_name("manifest.json").read_text())["files"][path.name]
    assert said["precision"] == "int8"
    assert ratio >= said["least_signal_to_noise_db"]
    assert ratio == pytest.approx(said["signal_to_noise_db"], abs=0.5)


def test_only_the_middle_of_the_fast_vocoder_is_in_int8(repository):
    nodes = onnx.load(graph(repository, FAST)).graph.node
    sources = {output: node for node in nodes for output in node.output}
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    quantised = [node for node in convolutions if sources.get(node.input[0]).op_type == "DequantizeLinear"]
    assert (len(convolutions), len(quantised)) == (42, 19)


@pytest.mark.parametrize("role", ["melgan", FAST])
@pytest.mark.parametrize("start", [40, 61])
def test_a_chunk_with_24_frames_of_context_sounds_as_in_the_whole(repository, mel, role, start):
    whole = run_onnx(graph(repository, role), {"mel": mel})["audio"][0]
    piece = run_onnx(graph(repository, role), {"mel": mel[:, start - TAIL : start + 32 + TAIL]})["audio"][0]
    expected = whole[start * HOP : (start + 32) * HOP]
    assert np.abs(piece[TAIL * HOP : (TAIL + 32) * HOP] - expected).max() < 3e-5


@pytest.mark.parametrize("role", ["melgan", FAST])
def test_a_batch_sounds_as_its_items_alone(repository, mel, role):
    items = [mel[:, :96], mel[:, 60:156], mel[:, 100:196]]
    together = run_onnx(graph(repository, role), {"mel": np.concatenate(items)})["audio"]
    for item, audio in zip(items, together, strict=True):
        alone = run_onnx(graph(repository, role), {"mel": item})["audio"][0]
        assert np.abs(alone - audio).max() < 3e-5


def small_graph():
    weight = onnx.numpy_helper.from_array(np.random.default_rng(0).standard_normal((4, 4, 3)).astype(np.float32), "a.w")
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 4, 64])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4, 62])
    node = onnx.helper.make_node("Conv", ["x", "a.w"], ["y"], name="conv")
    made = onnx.helper.make_graph([node], "g", [x], [y], [weight])
    return onnx.helper.make_model(made, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 18)])


def some_inputs():
    generator = np.random.default_rng(1)
    return [{"x": generator.standard_normal((1, 4, 64)).astype(np.float32)} for _ in range(3)]


def test_quantising_keeps_the_versions_and_tells_the_distance():
    proto, ratio = quantize(small_graph(), Quantization(("a.",), some_inputs, least_snr=20.0))
    assert proto.ir_version == 10
    assert {entry.domain: entry.version for entry in proto.opset_import}[""] == 18
    assert 20.0 < ratio < 60.0


@pytest.mark.parametrize(
    ("wanted", "message"),
    [(Quantization(("b.",), some_inputs, 0.0), "named b."), (Quantization(("a.",), some_inputs, 90.0), "not 90.0 dB")],
)
def test_a_quantisation_that_does_nothing_or_too_much_is_refused(wanted, message):
    with pytest.raises(SpecError, match=message):
        quantize(small_graph(), wanted)


def test_calibration_needs_the_voices_symbols(chain):
    with pytest.raises(CheckpointError, match="has no symbol"):
        calibration.spoken((chain["encoder"], chain["decoder"]), {"sil": 1})


def test_the_voice_offers_the_fast_vocoder_and_its_ensemble_keeps_the_balanced_one(repository):
    voice = json.loads((repository / "demo" / "voice.json").read_text())
    assert voice["qualities"] == {"balanced": "melgan", "fast": FAST}
    assert FAST in voice["stages"]
    assert "demo_fastmelgan" not in (repository / "demo" / "config.pbtxt").read_text()
