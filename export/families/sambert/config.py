"""Sizes of a SAM-BERT acoustic model, from its `config.yaml` and its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from export.errors import CheckpointError

# Feature of a linguistic unit → the embedding that it looks up, in the order in which a unit has them.
EMBEDDINGS = {
    "sy": "text_encoder.sy_emb.weight",
    "tone": "text_encoder.tone_emb.weight",
    "syllable_flag": "text_encoder.syllable_flag_emb.weight",
    "word_segment": "text_encoder.ws_emb.weight",
    "emo_category": "emo_tokenizer.weight",
    "speaker_category": "spk_tokenizer.weight",
}
# Larger ones are a damaged config, which would only run out of memory.
_MAX_SIZE = 1 << 16


@dataclass(frozen=True)
class FsmnConfig:
    """Sizes of a stack of feed-forward sequential memory layers; a shift per layer, in time steps to the left."""

    layers: int
    inputs: int
    units: int
    filter: int
    kernel: int
    shifts: tuple[int, ...]


@dataclass(frozen=True)
class SambertConfig:
    """Sizes of a SAM-BERT acoustic model.

    `vocabularies` maps each categorical feature of a linguistic unit to the number of its symbols, without
    `speaker_category` where the speaker is a fixed embedding (`SE`). `outputs_per_step` is how many mel frames a step
    of the decoder makes. `bands` are the mel bands of a frame; of those the last two are the normalised fundamental and
    the probability of voice where `source` is set (`NSF`).
    """

    vocabularies: Mapping[str, int]
    embedding: int
    encoder_layers: int
    encoder_heads: int
    encoder_units: int
    encoder_filter: int
    text_units: int
    emotion_units: int
    speaker_units: int
    predictor: FsmnConfig
    predictor_lstm: int
    duration_prenet: tuple[int, ...]
    duration_lstm: int
    decoder_layers: int
    decoder_heads: int
    decoder_units: int
    decoder_filter: int
    decoder_prenet: tuple[int, ...]
    outputs_per_step: int
    postnet: FsmnConfig
    postnet_lstm: int
    bands: int
    source: bool

    @property
    def condition_units(self) -> int:
        """Width of the text with speaker and emotion beside it, which the predictors see."""
        return self.text_units + self.speaker_units + self.emotion_units

    @property
    def memory_units(self) -> int:
        """Width of what the decoder attends to: the texts of a step's frames, its speaker and its emotion."""
        return self.outputs_per_step * self.text_units + self.speaker_units + self.emotion_units

    @classmethod
    def read(cls, params: Mapping[str, Any], state: Mapping[str, Tensor]) -> SambertConfig:
        """From `Model.KanTtsSAMBERT.params` of the config, and the state dict, whose embeddings are the vocabularies.

        Raises `CheckpointError` for a parameter that is missing or makes no sense, and for a variant of the network
        that is not supported.
        """
        if params.get("using_byte"):
            raise CheckpointError("the config has using_byte: a model that reads bytes is not supported")
        embeddings = dict(EMBEDDINGS)
        if params.get("SE"):
            del embeddings["speaker_category"]
        text, emotion, speaker = (
            _size(params, name) for name in ("encoder_projection_units", "emotion_units", "speaker_units")
        )
        bands = _size(params, "num_mels")
        source = bool(params.get("NSF"))
        if source and bands < 3:
            raise CheckpointError(f"the config's num_mels is {bands}, and NSF takes two of them")
        return cls(
            vocabularies={feature: _rows(state, name) for feature, name in embeddings.items()},
            embedding=_size(params, "embedding_dim", least=4, even=True),
            encoder_layers=_size(params, "encoder_num_layers"),
            encoder_heads=_heads(params, "encoder"),
            encoder_units=_size(params, "encoder_num_units"),
            encoder_filter=_size(params, "encoder_ffn_inner_dim"),
            text_units=text,
            emotion_units=emotion,
            speaker_units=speaker,
            predictor=_fsmn(params, "predictor", text + emotion + speaker),
            predictor_lstm=_size(params, "predictor_lstm_units"),
            duration_prenet=_sizes(params, "dur_pred_prenet_units"),
            duration_lstm=_size(params, "dur_pred_lstm_units"),
            decoder_layers=_size(params, "decoder_num_layers"),
            decoder_heads=_heads(params, "decoder"),
            decoder_units=_size(params, "decoder_num_units"),
            decoder_filter=_size(params, "decoder_ffn_inner_dim"),
            decoder_prenet=_sizes(params, "decoder_prenet_units"),
            outputs_per_step=_size(params, "outputs_per_step"),
            postnet=_fsmn(params, "postnet", bands),
            postnet_lstm=_size(params, "postnet_lstm_units"),
            bands=bands,
            source=source,
        )


def _value(params: Mapping[str, Any], name: str) -> Any:
    if name not in params:
        raise CheckpointError(f"the config has no {name} under Model.KanTtsSAMBERT.params: use the voice's own config")
    return params[name]


def _wrong(name: str, value: object, wanted: str) -> CheckpointError:
    return CheckpointError(f"the config's {name} is {str(value)[:60]}, not {wanted}: use the voice's own config")


def _whole(name: str, value: object, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MAX_SIZE:
        raise _wrong(name, value, f"a whole number from {least} to {_MAX_SIZE}")
    return value


def _size(params: Mapping[str, Any], name: str, *, least: int = 1, even: bool = False) -> int:
    value = _whole(name, _value(params, name), least)
    if even and value % 2:
        raise _wrong(name, value, "an even number")
    return value


def _sizes(params: Mapping[str, Any], name: str) -> tuple[int, ...]:
    value = _value(params, name)
    if not isinstance(value, list) or not value:
        raise _wrong(name, value, "a list of whole numbers")
    return tuple(_whole(name, item, 1) for item in value)


def _heads(params: Mapping[str, Any], part: str) -> int:
    """Upstream rounds the width of a head down; a head must have one channel at least."""
    heads, units = _size(params, f"{part}_num_heads"), _size(params, f"{part}_num_units")
    if heads > units:
        raise _wrong(f"{part}_num_heads", heads, f"at most {part}_num_units, {units}")
    return heads


def _fsmn(params: Mapping[str, Any], part: str, inputs: int) -> FsmnConfig:
    layers, kernel = _size(params, f"{part}_fsmn_num_layers"), _size(params, f"{part}_filter_size")
    if kernel % 2 == 0:
        raise _wrong(f"{part}_filter_size", kernel, "an odd number")
    shift = _value(params, f"{part}_shift")
    shifts = shift if isinstance(shift, list) else [shift] * layers
    if len(shifts) != layers:
        raise _wrong(f"{part}_shift", shift, f"a number or a list of {layers}")
    return FsmnConfig(
        layers=layers,
        inputs=inputs,
        units=_size(params, f"{part}_num_memory_units"),
        filter=_size(params, f"{part}_ffn_inner_dim"),
        kernel=kernel,
        shifts=tuple(_whole(f"{part}_shift", item, 0) for item in shifts),
    )


def _rows(state: Mapping[str, Tensor], name: str) -> int:
    if name not in state:
        raise CheckpointError(f"the checkpoint has no {name}: not a SAM-BERT acoustic model")
    if state[name].dim() != 2:
        raise CheckpointError(f"the checkpoint's {name} is no table of embeddings but {list(state[name].shape)}")
    return int(state[name].shape[0])
