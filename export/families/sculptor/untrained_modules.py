"""Seeded weights of a flow and of HiFT that were never trained, with whose help the voice is heard and is not clipped.

Names and shapes are those of the modules; where upstream normalises a weight, it is written in the two parts of that.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from export.families.sculptor.cosyvoice_config import FlowConfig, HiftConfig
from export.families.sculptor.flow import Flow
from export.families.sculptor.hift import Hift, layers
from export.families.sculptor.untrained_language import State, Weights

# What is added to what was there, and what ends a vocoder: each a little less than it gets.
_QUIETER = {"linear_out": 0.5, "w_2": 0.5, "to_out": 0.5, "ff.net.2": 0.5, "convs2": 0.5, "conv_post": 0.3}
# HiFT's layers without weight normalisation.
_PLAIN = ("m_source", "source_downs", "f0_predictor.classifier")
# The fundamental's mean and how far it goes up and down, Hz.
_PITCH, _MELODY = 200.0, 100.0


def flow_weights(config: FlowConfig, weights: Weights) -> State:
    """A state dict of `flow.pt`, FP32."""
    state: State = {}
    for name, value in Flow(config).state_dict().items():
        if value.dim() == 1:
            state[name] = torch.ones_like(value) if _is_scale(name) else torch.zeros_like(value)
        elif name.startswith("input_embedding"):
            state[name] = weights.normal(*value.shape, scale=1.0)
        else:
            state[name] = _matrix(name, value.shape, math.prod(value.shape[1:]), weights)
    return state


def hift_weights(config: HiftConfig, weights: Weights) -> State:
    """A state dict of `hift.pt`, FP32, its weights normalised in the way of today's PyTorch."""
    state: State = {}
    for name, layer in layers(Hift(config)).items():
        for part, value in layer.state_dict().items():
            if part == "bias":
                state[f"{name}.bias"] = torch.zeros_like(value)
            elif part == "alpha":
                state[f"{name}.alpha"] = torch.ones_like(value)
            else:
                made = _matrix(name, value.shape, _inputs(name, value, config), weights)
                state |= _weight(f"{name}.weight", made)
    state["f0_predictor.classifier.weight"] *= _MELODY
    state["f0_predictor.classifier.bias"].fill_(_PITCH)
    return state


def _is_scale(name: str) -> bool:
    """Whether a vector multiplies, as those of normalisations do."""
    return name.endswith("weight")


def _matrix(name: str, shape: torch.Size, inputs: int, weights: Weights) -> Tensor:
    gain = next((gain for part, gain in _QUIETER.items() if part in name), 1.0)
    return weights.normal(*shape, scale=gain / math.sqrt(inputs))


def _inputs(name: str, value: Tensor, config: HiftConfig) -> int:
    """How many values a layer adds up. Of an upsampling's kernel, only every rate-th tap meets a sample."""
    if name.startswith("ups."):
        return value.shape[0] * value.shape[2] // config.upsample_rates[int(name.rpartition(".")[2])]
    return math.prod(value.shape[1:])


def _weight(name: str, value: Tensor) -> State:
    if name.startswith(_PLAIN):
        return {name: value}
    magnitude = torch.linalg.vector_norm(value.flatten(1), dim=1).reshape(-1, 1, 1)
    stem = name.replace(".weight", ".parametrizations.weight")
    return {f"{stem}.original0": magnitude, f"{stem}.original1": value}
