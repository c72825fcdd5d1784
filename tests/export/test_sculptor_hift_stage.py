"""CosyVoice2's vocoder as a graph: as its module, in float16 too, and compared with reference arrays."""

import dataclasses

import numpy as np
import pytest
import torch

from export.errors import CheckpointError
from export.families.sculptor.hift_source import ConstantHiss, HarmonicSource
from export.families.sculptor.hift_stage import HIFT, hift_vocoder, track_of
from export.families.sculptor.hift_verify import hift_verification_stages, verify_hift
from export.onnx_export import export_stage
from export.specs import Axis, Precision
from export.verify import export_chain
from export.vocoders.vocoder import vocoder_stage
from tests.export.sculptor_vocoder import normal_mel, small_hift


@pytest.fixture(scope="module")
def hift():
    return small_hift()


def test_the_graphs_are_what_the_module_is(hift, tmp_path):
    stage = vocoder_stage(hift_vocoder(hift), HIFT, frames=Axis("frames", 8, 24, 48))
    accuracy = export_stage(stage, tmp_path)
    assert accuracy.largest_error < 1e-5
    assert accuracy.losses[Precision.FP16].signal_to_noise_db > 40


@pytest.fixture(scope="module")
def chain(hift, tmp_path_factory):
    return export_chain(hift_verification_stages(hift), tmp_path_factory.mktemp("graphs")).chain


@pytest.fixture(scope="module")
def reference(hift):
    """Arrays as upstream's code gives them: the source has noise in it."""
    mel = normal_mel(1, 24)
    tracked = track_of(hift)(mel, torch.ones(1, 24))
    source = HarmonicSource(hift.config, hift.mixture, hift.hop_length)
    excitation = source(tracked, ConstantHiss(source)(tracked)).flatten(1)
    wav = hift(mel, excitation)
    arrays = {
        "mel": mel.transpose(1, 2),
        "f0": hift.predictor(mel, torch.ones(1, 24)),
        "source": excitation.unsqueeze(1),
        "wav": wav,
    }
    return {name: value.numpy() for name, value in arrays.items()}


def test_every_array_of_a_reference_is_compared_alone_and_in_a_batch(chain, reference):
    rows = verify_hift(chain, reference, 1e-4)
    assert [row.array for row in rows] == [
        f"{name}{suffix}" for suffix in ("", " in a batch") for name in ("f0", "source", "wav")
    ]
    assert all(row.passed for row in rows), rows


@pytest.mark.parametrize(("name", "change"), [("f0", 0.01), ("source", 0.001), ("wav", 0.001)])
def test_an_array_that_is_another_is_found(chain, reference, name, change):
    # At the fundamental, the source's noise would hide anything else.
    tone = np.sin(2 * np.pi * np.cumsum(np.repeat(reference["f0"][0], 480)) / 24000)
    wrong = reference[name] + change * (tone if name == "source" else 1)
    rows = verify_hift(chain, reference | {name: wrong.astype(np.float32)}, 1e-4)
    assert name in {row.array for row in rows if not row.passed}


def test_a_reference_of_something_else_is_refused(chain, reference):
    with pytest.raises(CheckpointError, match="no source"):
        verify_hift(chain, {name: value for name, value in reference.items() if name != "source"}, 1e-4)


def test_a_vocoder_has_context_whatever_its_weights(hift):
    louder = small_hift(7)
    louder.output.bias.requires_grad_(False).fill_(9)
    assert dataclasses.astuple(hift.config) == dataclasses.astuple(louder.config)
    one, other = hift_vocoder(hift), hift_vocoder(louder)
    assert (one.lead, one.tail) == (other.lead, other.tail)
