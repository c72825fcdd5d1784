"""The encoder stage of Sambert: upstream's numbers, items that do not see each other, and the voice's controls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sambert_models import NEUTRAL, alone, encoder, model, random, trained

from export.families.sambert.acoustic_stages import encoder_stage
from export.families.sambert.layers import BidirectionalLSTM
from export.inference import in_double
from export.verify import read_reference

OUTPUTS = ("hidden", "durations", "f0_contour", "energy_contour")
EMOTION, SPEAKER, INTENSITY = 4, 5, 6


@pytest.fixture(scope="module")
def stage():
    return encoder_stage(encoder(model()))


def sample(stage, batch=1, units=9, seed=0, **changed):
    """Valid inputs, all items of full length, nothing shifted."""
    inputs = stage.sample(batch, {"units": units}, random(seed))
    inputs["unit_lengths"][:] = units
    inputs["pitch"][:], inputs["contour"][:] = 0, 1
    return inputs | {name: np.full_like(inputs[name], value) for name, value in changed.items()}


def with_feature(inputs, feature, value):
    units = inputs["units"].copy()
    units[..., feature] = value
    return inputs | {"units": units}


def test_the_module_computes_what_upstream_does(data):
    expected = read_reference(data / "sambert" / "nsf16k" / "reference_beijing.npz")
    features = [*np.moveaxis(expected["ling"], -1, 0), expected["emo"], expected["spk"]]
    units = np.stack([*features, np.full_like(expected["emo"], 100)], axis=-1)
    with torch.no_grad():
        encoded = (
            encoder(trained())
            .double()
            .encode(
                torch.from_numpy(units.astype(np.int32)),
                torch.tensor([[units.shape[1]]]),
                torch.zeros(1, 1, dtype=torch.float64),
                torch.ones(1, 1, dtype=torch.float64),
            )
        )
    for found, name in (
        (encoded.text, "text_hid"),
        (encoded.f0_contour, "pitch"),
        (encoded.energy_contour, "energy"),
        (encoded.log_durations, "log_dur"),
    ):
        assert np.abs(found.numpy() - expected[name]).max() < 1e-5, name
    assert (np.floor(encoded.durations.numpy() + 0.5) == expected["dur"]).all()


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 14), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_an_item_of_a_padded_batch_is_encoded_as_alone(stage, lengths, seed):
    inputs = stage.sample(len(lengths), {"units": 14}, random(seed))
    inputs["unit_lengths"][:, 0] = lengths
    together = in_double(stage, inputs)
    for item, length in enumerate(lengths):
        single = alone(stage, inputs, item, {"units": length})
        for name in OUTPUTS:
            assert np.abs(together[name][item, :length] - single[name][0]).max() < 1e-9, name
            assert not together[name][item, length:].any()


def test_the_lstm_to_the_left_begins_at_the_end_of_each_item():
    torch.manual_seed(0)
    lstm, x, lengths = BidirectionalLSTM(5, 3), torch.randn(3, 8, 5), torch.tensor([[8], [3], [5]])
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths[:, 0], batch_first=True, enforce_sorted=False)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(lstm(packed)[0], batch_first=True)
    found = lstm.both_ways(x, lengths)
    for item, length in enumerate(lengths[:, 0]):
        assert (found[item, :length] - expected[item, :length]).abs().max() < 1e-6


def test_a_text_may_be_longer_than_the_table_of_positions_in_the_checkpoint(stage):
    encoded = in_double(stage, sample(stage, units=801))
    assert all(np.isfinite(encoded[name]).all() for name in OUTPUTS)


def test_no_contour_is_one_pitch_at_the_mean_of_the_clause(stage):
    natural = in_double(stage, sample(stage))["f0_contour"]
    flat = in_double(stage, sample(stage, contour=0))["f0_contour"]
    assert np.ptp(natural) > 1e-3
    assert np.abs(flat - natural.mean()).max() < 1e-9


def test_the_mean_of_a_padded_item_is_that_of_its_own_units(stage):
    inputs = sample(stage, batch=2, contour=0)
    inputs["unit_lengths"][1] = 4
    assert np.ptp(in_double(stage, inputs)["f0_contour"][1, :4]) < 1e-9


def test_a_contour_moves_about_the_mean_by_its_factor(stage):
    natural, doubled = (in_double(stage, sample(stage, contour=factor))["f0_contour"] for factor in (1, 2))
    assert np.abs(doubled - natural.mean() - 2 * (natural - natural.mean())).max() < 1e-9


@pytest.mark.parametrize(("semitones", "factor"), [(12, 2.0), (-12, 0.5), (0, 1.0), (7, 2 ** (7 / 12))])
def test_semitones_scale_the_fundamental_of_a_voice_whose_deviation_is_a_quarter_of_its_mean(stage, semitones, factor):
    natural, shifted = (in_double(stage, sample(stage, pitch=pitch))["f0_contour"] for pitch in (0, semitones))
    # In units of the deviation, four of which are the mean.
    assert np.abs(shifted - natural - 4 * (factor - 1)).max() < 1e-9


def test_a_shift_of_pitch_is_heard_in_the_hidden_states(stage):
    natural, shifted = (in_double(stage, sample(stage, pitch=pitch))["hidden"] for pitch in (0, 3))
    assert np.abs(natural - shifted).max() > 1e-3


def emotions(stage, encoded):
    config = stage.module.model.config
    return encoded["hidden"][..., config.text_units + config.speaker_units : -1]


def test_full_intensity_is_the_row_of_the_emotion(stage):
    encoded = in_double(stage, with_feature(with_feature(sample(stage), INTENSITY, 100), EMOTION, 5))
    row = stage.module.model.emo_tokenizer.weight[5].detach().numpy()
    assert np.abs(emotions(stage, encoded) - row).max() < 1e-6


def test_no_intensity_is_the_neutral_emotion(stage):
    angry = in_double(stage, with_feature(with_feature(sample(stage), INTENSITY, 0), EMOTION, 5))
    neutral = in_double(stage, with_feature(with_feature(sample(stage), INTENSITY, 100), EMOTION, NEUTRAL))
    assert all(np.abs(angry[name] - neutral[name]).max() < 1e-9 for name in OUTPUTS)


def test_intensity_goes_from_neutral_through_the_emotion_and_beyond(stage):
    rows = stage.module.model.emo_tokenizer.weight.detach().double().numpy()
    for percent in (30, 150):
        encoded = in_double(stage, with_feature(with_feature(sample(stage), INTENSITY, percent), EMOTION, 5))
        expected = rows[NEUTRAL] + percent / 100 * (rows[5] - rows[NEUTRAL])
        assert np.abs(emotions(stage, encoded) - expected).max() < 1e-6


def test_the_speaker_of_a_voice_with_a_speaker_embedding_is_in_every_unit_whatever_its_feature_says():
    vector = torch.tensor([0.1, -0.2, 0.3, 0.4, -0.5])
    stage = encoder_stage(encoder(model(SE=True), speaker=vector))
    inputs = sample(stage)
    hidden = in_double(stage, inputs)["hidden"]
    assert np.abs(hidden[..., 7:12] - vector.numpy()).max() < 1e-6
    assert (hidden == in_double(stage, with_feature(inputs, SPEAKER, 3))["hidden"]).all()


def test_the_last_channel_of_the_hidden_states_is_the_duration(stage):
    encoded = in_double(stage, sample(stage))
    assert (encoded["hidden"][..., -1] == encoded["durations"]).all()
    assert (encoded["durations"] >= 0).all()
