"""Seeded weights of a Sambert checkpoint that was never trained, with which it speaks in plausible lengths.

Everything is random, scaled so that nothing grows from layer to layer, but for one thing: whether a unit is a break
goes untouched through channel 0 of the text to the duration predictor, so that phones last 5 to 15 frames and breaks 0
to 3, whatever the seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from export.families.sambert.config import EMBEDDINGS
from export.families.sambert.shapes import Shapes
from export.families.sambert.symbols import MANDARIN

State = dict[str, Tensor]

# The feature that tells breaks from phones, and how far its channel is from 0.
_FLAG, _BREAK = "syllable_flag", "s_none"
_MARK = 8.0
# log(1 + frames) of a break and of a phone, to which random cells add.
_BREAK_LENGTH, _PHONE_LENGTH = math.log(2.2), math.log(10.0)


def acoustic_weights(params: Mapping[str, Any], shapes: Shapes, generator: torch.Generator) -> State:
    """A state dict of SAM-BERT with these shapes, FP32, for parameters of `Model.KanTtsSAMBERT.params`."""
    state = {name: _random(name, shape, generator) for name, shape in shapes.items()}
    for feature, name in EMBEDDINGS.items():
        if name in state:
            # Four of them are added up.
            state[name] = torch.randn(shapes[name], generator=generator) * (1.0 if "tokenizer" in name else 0.5)
            state[name][:, 0] = 0.0 if feature != _FLAG else -_MARK
    state[EMBEDDINGS[_FLAG]][MANDARIN[_FLAG].index(_BREAK), 0] = _MARK
    state["text_encoder.ling_enc.position_enc.position_enc"] = _positions(
        params["max_len"], params["embedding_dim"]
    ).unsqueeze(0)
    channels = torch.arange(params["encoder_projection_units"])
    state["variance_adaptor.dur_position_encoder.inv_timescales"] = 10000.0 ** (2 * (channels // 2) / channels.numel())
    _mark_breaks(state, params)
    _set_lengths(state, params)
    _calm_decoder(state, params)
    return state


def vocoder_weights(shapes: Shapes, generator: torch.Generator) -> State:
    """A state dict of KAN-TTS's HiFi-GAN with these shapes, FP32; its waveform is neither silent nor clipped."""
    state: State = {}
    for name, shape in shapes.items():
        if name.endswith("weight_v"):
            direction = torch.randn(shape, generator=generator) * _vocoder_gain(name)
            # Of a transposed convolution only every stride-th tap meets a sample; its kernel is about two strides.
            inputs = 2 * shape[0] if "deconv" in name else shape[1] * shape[2]
            state[name] = direction / math.sqrt(inputs)
            magnitude = torch.linalg.vector_norm(state[name].flatten(1), dim=1)
            state[name.replace("weight_v", "weight_g")] = magnitude.reshape(-1, 1, 1)
        elif name.endswith("bias"):
            state[name] = torch.zeros(shape)
    return {name: state[name] for name in shapes}


def _vocoder_gain(name: str) -> float:
    if "upsamples" in name or "source_downs" in name:
        # x + sin x before each stage is up to twice as large as x.
        return 0.62
    return {"convs2": 0.5, "conv_post": 0.3}.get(next((p for p in ("convs2", "conv_post") if p in name), ""), 1.0)


def _random(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if "bias" in name:
        return torch.zeros(shape)
    if len(shape) == 1:
        return torch.ones(shape)
    if "w_1" in name:
        # A rectifier follows.
        gain = math.sqrt(2.0)
    elif any(part in name for part in ("slf_attn.fc", "w_2", "conv_dw", "weight_hh")):
        gain = 0.5
    else:
        gain = 1.0
    return torch.randn(shape, generator=generator) * gain / math.sqrt(math.prod(shape[1:]))


def _positions(length: int, width: int) -> Tensor:
    """[length, width]: sines, then cosines, of positions from 1."""
    rates = 10000.0 ** -(torch.arange(width // 2) / (width / 2 - 1))
    angles = torch.arange(1, length + 1)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _mark_breaks(state: State, params: Mapping[str, Any]) -> None:
    """Leave channel 0 of the encoder to the mark, and hand it on as channel 0 of the text."""
    heads = params["encoder_num_heads"]
    inner = params["encoder_num_units"] // heads * heads
    for layer in range(params["encoder_num_layers"]):
        block = f"text_encoder.ling_enc.fft.{layer}"
        state[f"{block}.slf_attn.fc.weight"][0] = 0.0
        state[f"{block}.pos_ffn.w_2.weight"][0] = 0.0
    first = "text_encoder.ling_enc.fft.0.slf_attn"
    rows = state[f"{first}.w_qkv.weight"]
    queries, keys, values = rows[:inner], rows[inner : 2 * inner], rows[2 * inner :]
    # The first layer passes on nothing but what its units attend to: let that be units like themselves.
    queries *= 2.0
    keys.copy_(queries)
    for part in (queries, keys, values):
        part[0] = 0.0
        part[0, 0] = 1.0
    state[f"{first}.fc.weight"][0, 0] = 1.0
    projection = state["text_encoder.ling_proj.weight"]
    projection[0] = 0.0
    projection[0, 0] = 1.0
    for name in ("pitch", "energy"):
        state[f"variance_adaptor.{name}_emb.weight"][0] = 0.0


def _set_lengths(state: State, params: Mapping[str, Any]) -> None:
    """Let the first cell of both LSTM layers say what the mark says, and the last layer say how long that is."""
    name, units = "variance_adaptor.duration_predictor", params["dur_pred_lstm_units"]
    marked = params["dur_pred_prenet_units"][-1]
    for layer, (column, weight) in enumerate(((marked, 1.0), (0, 4.0))):
        inputs, hidden, bias = (state[f"{name}.lstm.{part}_l{layer}"] for part in ("weight_ih", "weight_hh", "bias_ih"))
        for gate, openness in enumerate((4.0, -6.0, 0.0, 4.0)):
            row = gate * units
            inputs[row], hidden[row], bias[row] = 0.0, 0.0, openness
        inputs[2 * units, column] = weight
    # The cell's value for a mark of ±1 or more.
    said = torch.sigmoid(torch.tensor(4.0)).item() * math.tanh(torch.sigmoid(torch.tensor(4.0)).item())
    state[f"{name}.fc.weight"][0, 0] = (_BREAK_LENGTH - _PHONE_LENGTH) / (2 * said)
    state[f"{name}.fc.bias"].fill_((_BREAK_LENGTH + _PHONE_LENGTH) / 2)


def _calm_decoder(state: State, params: Mapping[str, Any]) -> None:
    """Weaken the way from frame to frame, which could build up, and put a source's pitch into a voice's range."""
    decoder = "mel_decoder.mel_dec"
    state[f"{decoder}.dec_in_proj.weight"][:, -params["decoder_num_units"] :] *= 0.3
    state["mel_postnet.fc.weight"].mul_(0.5)
    if params.get("NSF"):
        bands, steps = params["num_mels"], params["outputs_per_step"]
        wide = params.get("nsf_norm_type") != "global"
        for channel, gain, centre in ((bands - 2, 0.3 if wide else 0.05, 0.0 if wide else 0.25), (bands - 1, 0.1, 1.0)):
            rows = torch.arange(steps) * bands + channel
            state[f"{decoder}.dec_out_proj.weight"][rows] *= gain
            state[f"{decoder}.dec_out_proj.bias"][rows] = centre
            state["mel_postnet.fc.weight"][channel] = 0.0
