"""The exported stages of Sambert are their modules, loops and all, and agree with upstream."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from sambert_models import decoder, encoder, model, random

from export.errors import CheckpointError
from export.families.sambert.acoustic_stages import decoder_stage, encoder_stage
from export.families.sambert.verify import sambert_stages, verify_acoustic, verify_sambert
from export.inference import in_double, run_onnx
from export.verify import export_chain, read_reference


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Stages of a small model with four frames a step and a speaker embedding."""
    made = model(outputs_per_step=4, SE=True)
    stages = (encoder_stage(encoder(made, speaker=torch.linspace(-1, 1, 5))), decoder_stage(decoder(made)))
    chain = export_chain(stages, tmp_path_factory.mktemp("small")).chain
    return {stage.spec.role: (stage, path) for stage, path in chain}


@pytest.fixture(scope="module")
def chain(tmp_path_factory, data):
    """What is verified of the test data, exported."""
    return export_chain(sambert_stages(data / "sambert" / "nsf16k"), tmp_path_factory.mktemp("chain")).chain


@pytest.fixture(scope="module")
def detailed(chain):
    return chain[:2]


@pytest.fixture
def reference(data):
    return read_reference(data / "sambert" / "nsf16k" / "reference_beijing.npz")


def test_every_acoustic_array_agrees_with_upstream_alone_and_in_a_batch(detailed, reference):
    rows = verify_acoustic(*detailed, reference, 1e-5)
    assert all(row.passed for row in rows), [row for row in rows if not row.passed]
    names = {"text_hid", "pitch", "energy", "log_dur", "dur", "LR_len", "LR_text", "memory", "xbw", "dec", "post"}
    assert {row.array for row in rows} == names | {f"{name} in a batch" for name in names}


def test_the_chain_from_symbols_to_samples_agrees_with_upstream(chain, data):
    rows = verify_sambert(chain, data / "sambert" / "nsf16k" / "reference_beijing.npz", 1e-4, 5e-4)
    assert all(row.passed for row in rows), [row for row in rows if not row.passed]
    assert {(row.stage, row.array) for row in rows} >= {
        ("hifigan", "wav"),
        ("hifigan", "wav in a batch"),
        ("end_to_end", "voc_in"),
        ("end_to_end", "wav"),
    }


@pytest.mark.parametrize("name", ["pitch", "dur", "LR_text", "xbw", "post"])
def test_an_array_that_differs_is_the_one_that_fails(detailed, reference, name):
    rows = verify_acoustic(*detailed, reference | {name: reference[name] + reference[name].dtype.type(1)}, 1e-5)
    failed = {row.array.removesuffix(" in a batch") for row in rows if not row.passed}
    # The decoder is given the reference's durations.
    assert name in failed
    assert failed == {name} or name == "dur"


def test_a_reference_of_something_else_is_refused(detailed, reference):
    del reference["xbw"]
    with pytest.raises(CheckpointError, match="lacks xbw: not a sambert reference"):
        verify_acoustic(*detailed, reference, 1e-5)


@pytest.mark.parametrize("role", ["encoder", "decoder"])
@pytest.mark.parametrize(("batch", "units", "steps"), [(1, 16, 16), (1, 2, 2), (5, 33, 25), (16, 7, 31)])
def test_the_graph_equals_the_module_at_shapes_it_was_not_traced_with(exported, role, batch, units, steps):
    stage, path = exported[role]
    inputs = stage.sample(batch, {"units": units, "frames": 4 * steps}, random(units))
    expected, actual = in_double(stage, inputs), run_onnx(path, inputs)
    for name, value in expected.items():
        assert value.shape == actual[name].shape
        assert np.abs(value - actual[name]).max() < 1e-4, name


def test_an_item_of_a_batch_is_the_same_through_the_graph_alone(exported):
    stage, path = exported["decoder"]
    inputs = stage.sample(4, {"units": 12, "frames": 80}, random(3))
    together = run_onnx(path, inputs)["mel"]
    for item in range(4):
        single = run_onnx(path, {name: value[item : item + 1] for name, value in inputs.items()})["mel"]
        assert np.abs(together[item] - single[0]).max() < 1e-5


@pytest.mark.parametrize(("role", "lstms"), [("encoder", 4), ("decoder", 1)])
def test_a_graph_has_one_loop(exported, role, lstms):
    graph = onnx.load(exported[role][1]).graph
    kinds = Counter(node.op_type for node in graph.node)
    assert (kinds["Scan"], kinds["Loop"], kinds["LSTM"]) == (1, 0, lstms)


def test_a_graph_tells_nothing_of_the_machine_that_made_it(exported):
    for _, path in exported.values():
        assert b".py" not in path.read_bytes()
