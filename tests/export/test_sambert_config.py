"""Sizes come from the config and the checkpoint; what makes no sense is refused in one sentence."""

from __future__ import annotations

import pytest
import torch
from sambert_models import PARAMS, ROWS, model, tables

from export.errors import CheckpointError
from export.families.sambert.acoustic import AcousticModel
from export.families.sambert.config import SambertConfig


def test_vocabularies_come_from_the_embeddings():
    assert SambertConfig.read(PARAMS, tables(sy=33)).vocabularies == ROWS | {"sy": 33}


def test_a_voice_with_a_speaker_embedding_has_no_table_of_speakers():
    state = tables()
    del state["spk_tokenizer.weight"]
    assert "speaker_category" not in SambertConfig.read(PARAMS | {"SE": True}, state).vocabularies
    with pytest.raises(CheckpointError, match=r"no spk_tokenizer\.weight"):
        SambertConfig.read(PARAMS, state)


def test_the_memory_is_as_wide_as_the_texts_of_a_step_with_speaker_and_emotion():
    config = SambertConfig.read(PARAMS | {"outputs_per_step": 4}, tables())
    assert (config.condition_units, config.memory_units) == (7 + 3 + 5, 4 * 7 + 3 + 5)


@pytest.mark.parametrize("name", PARAMS)
def test_a_missing_parameter_is_named(name):
    params = {key: value for key, value in PARAMS.items() if key != name}
    with pytest.raises(CheckpointError, match=f"the config has no {name} under"):
        SambertConfig.read(params, tables())


@pytest.mark.parametrize("value", [0, -3, "many", None, 2.5, True, [4], 10**9])
@pytest.mark.parametrize("name", ["outputs_per_step", "decoder_num_units", "num_mels"])
def test_a_senseless_size_is_named_with_its_value(name, value):
    with pytest.raises(CheckpointError, match=f"the config's {name} is .* not a whole number"):
        SambertConfig.read(PARAMS | {name: value}, tables())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embedding_dim": 13}, "embedding_dim is 13, not an even number"),
        ({"encoder_num_heads": 11}, "encoder_num_heads is 11, not at most encoder_num_units, 10"),
        ({"postnet_filter_size": 8}, "postnet_filter_size is 8, not an odd number"),
        ({"predictor_shift": [1]}, r"predictor_shift is \[1\], not a number or a list of 2"),
        ({"decoder_prenet_units": 256}, "decoder_prenet_units is 256, not a list"),
        ({"NSF": True, "num_mels": 2}, "num_mels is 2, and NSF takes two of them"),
        ({"using_byte": True}, "reads bytes is not supported"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(CheckpointError, match=message):
        SambertConfig.read(PARAMS | changes, tables())


def test_an_embedding_that_is_no_table_is_refused():
    state = tables()
    state["emo_tokenizer.weight"] = state["emo_tokenizer.weight"].flatten()
    with pytest.raises(CheckpointError, match="is no table of embeddings"):
        SambertConfig.read(PARAMS, state)


def test_what_only_fills_pauses_is_not_needed_and_nothing_else_may_be_left_over():
    made = model()
    state = made.state_dict()
    torch.testing.assert_close(
        AcousticModel.load(made.config, state | {"FP_predictor.fc.weight": torch.ones(1)}, "it").state_dict(), state
    )
    with pytest.raises(CheckpointError, match=r"unexpected: other\.weight"):
        AcousticModel.load(made.config, state | {"other.weight": torch.ones(1)}, "it")
