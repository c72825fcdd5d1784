"""A Sambert voice in int8, which it is in only when that is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from export.bundle import Choice
from export.errors import CheckpointError, SpecError
from export.families import sambert
from export.families.sambert.calibration import spoken
from export.onnx_export import export_stage
from export.specs import Precision


@pytest.fixture(scope="module")
def voice(data):
    return sambert.bundle(data / "sambert" / "nsf16k", "anna", Choice())


def precisions(bundle):
    return {stage.spec.role: stage.spec.precisions for stage in bundle.stages}


def test_without_being_asked_for_there_is_none(voice):
    assert not any(Precision.INT8 in named for named in precisions(voice).values())


def test_the_vocoder_is_the_stage_that_can_be_had_in_int8(voice):
    named = precisions(voice.only([Precision.INT8]))
    assert {role for role, each in named.items() if Precision.INT8 in each} == {"hifigan"}


def test_the_voice_speaks_real_sentences_to_its_vocoder(voice):
    sentences = spoken(voice.stages, voice.symbols)
    assert len(sentences) > 3
    assert all(np.isfinite(one["hifigan"]["mel"]).all() for one in sentences)
    assert len({one["hifigan"]["mel"].shape for one in sentences}) > 3


def test_a_voice_without_a_symbol_that_the_sentences_need_is_told_so(voice):
    symbols = voice.symbols | {"sy": {"a_c": 0}}
    with pytest.raises(CheckpointError, match="the voice has no symbol 'j_c', which calibration for int8 needs"):
        spoken(voice.stages, symbols)


def test_it_is_as_close_as_asked_for_or_there_is_none(voice, tmp_path):
    vocoder = voice.only([Precision.INT8]).stages[-1]
    accuracy = export_stage(vocoder, tmp_path)
    loss = accuracy.losses[Precision.INT8]
    assert loss.signal_to_noise_db >= vocoder.quantization.least_snr
    assert (tmp_path / "model.int8.onnx").stat().st_size < (tmp_path / "model.onnx").stat().st_size
    strict = replace(vocoder, quantization=replace(vocoder.quantization, least_snr=120.0))
    with pytest.raises(SpecError, match=r"signal-to-noise ratio is .* dB, not 120\.0 dB"):
        export_stage(strict, tmp_path / "strict")
    assert not (tmp_path / "strict" / "model.int8.onnx").exists()
