"""Formats of mel spectrograms: which ones match, and that a bridge between them is exact."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.errors import CheckpointError
from export.mel import MelFormat, Statistics, bridge, differences, kantts_format

BANDS = 4
PLAIN = MelFormat(24000, 300, BANDS, 2048, 1200, 80.0, 7600.0, "log10", None, normalised=False)
AUDIO = {
    "sampling_rate": 16000,
    "hop_length": 200,
    "n_mels": 80,
    "n_fft": 2048,
    "win_length": 1000,
    "fmin": 0.0,
    "fmax": 8000.0,
    "min_level_db": -100.0,
    "ref_level_db": 20,
    "max_norm": 1.0,
    "symmetric": False,
    "preemphasize": False,
}

statistics = st.builds(
    Statistics,
    mean=st.tuples(*[st.floats(-8, 4)] * BANDS),
    scale=st.tuples(*[st.floats(0.05, 5)] * BANDS),
)
scales = st.sampled_from(["log10", "ln", "kantts"])
formats = st.builds(
    lambda scale, known: dataclasses.replace(PLAIN, scale=scale, statistics=known, normalised=known is not None),
    scales,
    st.none() | statistics,
)


def written(magnitude: np.ndarray, mel: MelFormat) -> np.ndarray:
    """Magnitudes as the format's own project computes them."""
    values = {
        "log10": np.log10(magnitude),
        "ln": np.log(magnitude),
        "kantts": (20 * np.log10(magnitude) - 20 + 100) / 100,
    }[mel.scale]
    if mel.statistics is None:
        return values
    return (values - np.array(mel.statistics.mean)) / np.array(mel.statistics.scale)


@given(formats, formats, st.tuples(*[st.floats(1e-4, 10)] * BANDS))
def test_a_bridge_turns_one_format_exactly_into_another(voice, vocoder, magnitude):
    factor, offset = bridge(voice, vocoder)
    values = written(np.array(magnitude), voice) * factor + offset
    assert values == pytest.approx(written(np.array(magnitude), vocoder), rel=1e-9, abs=1e-7)


@given(formats)
def test_a_format_survives_the_voices_file(mel):
    assert MelFormat.from_dict(json.loads(json.dumps(mel.as_dict()))) == mel


def test_what_differs_is_told_with_both_values():
    other = dataclasses.replace(PLAIN, sample_rate=22050, hop_length=256, fmax=None)
    assert differences(PLAIN, other) == ["sample rate: 24000 | 22050", "hop length: 300 | 256", "fmax: 7600 | 11025"]
    with pytest.raises(CheckpointError, match=r"\(voice \| vocoder\): sample rate: 24000 \| 22050"):
        bridge(PLAIN, other)


def test_no_upper_edge_is_half_the_rate_and_no_lower_edge_is_zero():
    told = dataclasses.replace(PLAIN, fmin=0.0, fmax=12000.0)
    assert differences(told, dataclasses.replace(told, fmin=None, fmax=None)) == []


def test_what_a_checkpoint_does_not_tell_is_not_compared():
    assert differences(PLAIN, dataclasses.replace(PLAIN, n_fft=None, win_length=None)) == []


def test_unknown_statistics_of_a_voice_are_asked_for():
    voice = dataclasses.replace(PLAIN, normalised=True)
    with pytest.raises(CheckpointError, match=r"--voice-statistics FILE, or say --same-normalisation") as caught:
        bridge(voice, PLAIN)
    assert "unknown | not normalised" in str(caught.value)
    assert len(str(caught.value)) <= 300


def test_unknown_statistics_of_a_vocoder_cannot_be_bridged():
    with pytest.raises(CheckpointError, match="voices of its own training data only"):
        bridge(PLAIN, dataclasses.replace(PLAIN, normalised=True))


def test_models_of_kantts_are_paired_as_they_are():
    mel = kantts_format(AUDIO)
    assert (mel.scale, mel.normalised, mel.statistics) == ("kantts", True, None)
    factor, offset = bridge(mel, mel)
    assert (factor == 1).all()
    assert (offset == 0).all()


def test_models_of_kantts_with_other_levels_pair_with_their_like_only():
    usual, loud = kantts_format(AUDIO), kantts_format(AUDIO | {"max_norm": 4.0, "symmetric": True})
    bridge(loud, loud)
    with pytest.raises(CheckpointError, match=r"kantts \| kantts with max_norm 4.0, symmetric True"):
        bridge(usual, loud)


@pytest.mark.parametrize(("key", "value"), [("hop_length", None), ("fmin", "low"), ("sampling_rate", [])])
def test_an_audio_config_with_nonsense_is_refused(key, value):
    with pytest.raises(CheckpointError, match="no audio_config of KAN-TTS"):
        kantts_format(AUDIO | {key: value})


@pytest.mark.parametrize(
    ("mean", "scale", "message"),
    [
        ((0.0,), (1.0, 1.0), "1 means but 2 scales"),
        ((0.0,), (0.0,), "every scale above 0"),
        ((float("nan"),), (1.0,), "must be finite"),
    ],
)
def test_statistics_that_cannot_normalise_are_refused(mean, scale, message):
    with pytest.raises(CheckpointError, match=message):
        Statistics(mean, scale)


def test_statistics_of_other_bands_are_refused():
    with pytest.raises(CheckpointError, match="statistics of 1 bands for 4 mel bands"):
        dataclasses.replace(PLAIN, statistics=Statistics((0.0,), (1.0,)), normalised=True)
