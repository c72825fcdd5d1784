"""Small SAM-BERT models for tests, with sizes that no published one has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from export.families.sambert.acoustic import AcousticModel
from export.families.sambert.config import EMBEDDINGS, SambertConfig
from export.families.sambert.decoder import Decoder
from export.families.sambert.encoder import Encoder
from export.inference import in_double

VOICE = Path(__file__).parents[1] / "data" / "sambert" / "nsf16k" / "voices" / "F7" / "am"
NEUTRAL = 1

# Heads that do not divide the units, odd widths, as many predictor units as inputs, a shift for each layer.
PARAMS: dict[str, Any] = {
    "embedding_dim": 12,
    "encoder_num_layers": 3,
    "encoder_num_heads": 3,
    "encoder_num_units": 10,
    "encoder_ffn_inner_dim": 14,
    "encoder_projection_units": 7,
    "emotion_units": 3,
    "speaker_units": 5,
    "predictor_fsmn_num_layers": 2,
    "predictor_filter_size": 5,
    "predictor_shift": [0, 1],
    "predictor_num_memory_units": 15,
    "predictor_ffn_inner_dim": 9,
    "predictor_lstm_units": 6,
    "dur_pred_prenet_units": [4],
    "dur_pred_lstm_units": 5,
    "decoder_num_layers": 2,
    "decoder_num_heads": 2,
    "decoder_num_units": 9,
    "decoder_ffn_inner_dim": 11,
    "decoder_prenet_units": [8, 6, 7],
    "outputs_per_step": 2,
    "postnet_fsmn_num_layers": 3,
    "postnet_filter_size": 7,
    "postnet_shift": 2,
    "postnet_num_memory_units": 13,
    "postnet_ffn_inner_dim": 8,
    "postnet_lstm_units": 4,
    "num_mels": 6,
}
# As of a table without the symbol for masks.
ROWS = {"sy": 20, "tone": 9, "syllable_flag": 7, "word_segment": 6, "emo_category": 11, "speaker_category": 4}


def tables(**rows: int) -> dict[str, torch.Tensor]:
    """A state dict with embeddings only."""
    return {EMBEDDINGS[feature]: torch.zeros(count, 2) for feature, count in (ROWS | rows).items()}


def model(seed: int = 0, **params: Any) -> AcousticModel:
    """A model of random weights, whose units last a few frames."""
    torch.manual_seed(seed)
    made = AcousticModel(SambertConfig.read(PARAMS | params, tables())).eval()
    with torch.no_grad():
        made.variance_adaptor.duration_predictor.fc.bias.fill_(1.6)
    return made


def trained() -> AcousticModel:
    """The acoustic model of the test data."""
    params = yaml.safe_load((VOICE / "config.yaml").read_text())["Model"]["KanTtsSAMBERT"]["params"]
    state = torch.load(VOICE / "ckpt" / "checkpoint_100.pth", weights_only=True)["model"]
    return AcousticModel.load(SambertConfig.read(params, state), state, "the test data")


def encoder(made: AcousticModel, **options: Any) -> Encoder:
    return Encoder(made, NEUTRAL, **({"variation": 0.25} | options)).eval()


def decoder(made: AcousticModel) -> Decoder:
    return Decoder(made).eval()


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def alone(stage, inputs, item, lengths):
    """The outputs for one item of a batch by itself; `lengths` has that of each input that has an axis of time."""
    single = {
        name: value[item : item + 1, : lengths[name]] if name in lengths else value[item : item + 1]
        for name, value in inputs.items()
    }
    return in_double(stage, single)
