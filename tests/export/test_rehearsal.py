"""Before its stages are judged, a voice speaks: each stage gets what the one before it makes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sambert_models import decoder, encoder, model
from torch import nn

from export.bundle import Stage
from export.families.sambert.acoustic_stages import decoder_stage, encoder_stage
from export.inference import in_double
from export.rehearsal import rehearse
from export.vocoders.vocoder import normal_mel, vocoder_spec


@pytest.fixture(scope="module")
def voice():
    """A small Sambert voice of two frames a step, with a vocoder that is never run."""
    made = model()
    vocoder = Stage(vocoder_spec("hifigan", 6, 4), nn.Identity(), normal_mel)
    return encoder_stage(encoder(made)), decoder_stage(decoder(made)), vocoder


def test_every_stage_gets_what_the_one_before_it_makes(voice):
    heard = rehearse(voice)
    assert set(heard) == {"encoder", "decoder", "hifigan"}
    encoded, frames = in_double(voice[0], heard["encoder"]), heard["decoder"]
    assert np.allclose(frames["hidden"], encoded["hidden"], atol=1e-5)
    length, alignment = int(frames["frame_lengths"][0, 0]), frames["alignment"][0]
    counts = np.bincount(alignment[:length], minlength=encoded["durations"].shape[1])
    assert (counts == np.maximum(np.rint(encoded["durations"][0]), 1)).all()
    assert (alignment[length:] == alignment[length - 1]).all()
    assert np.allclose(heard["hifigan"]["mel"], in_double(voice[1], frames)["mel"], atol=1e-5)


@given(st.integers(1, 20))
@settings(max_examples=10, deadline=None)
def test_what_is_said_may_be_given_and_fits_the_decoders_frame_axis(voice, count):
    units = voice[0].sample(1, {"units": count}, np.random.default_rng(count))
    heard = rehearse(voice, units)
    assert heard["encoder"] is units
    (axis,) = (tensor.axes[0] for tensor in voice[1].spec.inputs if tensor.name == "alignment")
    frames = heard["decoder"]["alignment"].shape[1]
    assert axis.minimum <= frames <= axis.maximum
    assert frames % axis.step == 0


def test_stages_that_are_no_voice_rehearse_nothing(voice):
    assert rehearse(voice[2:]) == {}
    assert rehearse(voice[1:]) == {}
