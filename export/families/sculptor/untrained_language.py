"""Seeded weights of language models of speech that were never trained, which end by themselves all the same.

Everything is random but for four channels. Of an input, one says that it is there and one whether it is text. A head of
the first layer attends to all there is alike, and so finds which share of it is text; that share sinks with every code
that is generated, and where it falls below a threshold the logit of the end rises above all others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

State = dict[str, Tensor]

# Of the hidden state: 1 for every input, 1 for text, and the share of text that the first layer finds.
_HERE, _TEXT, _SHARE = range(3)
# Standard deviation of a code's logit; the end's where the share is at the threshold, and how fast that one changes.
_SPREAD, _EVEN, _STEEPNESS = 1.5, 7.0, 120.0


@dataclass(frozen=True)
class Decoder:
    """Sizes of a Llama or Qwen2: `biased` says whether queries, keys and values have biases, as Qwen2's."""

    width: int
    layers: int
    heads: int
    key_heads: int
    units: int
    biased: bool = False

    @property
    def head_size(self) -> int:
        """Channels of one head."""
        return self.width // self.heads


class Weights:
    """Random weights from one seed."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int, scale: float) -> Tensor:
        """FP32, mean 0 and standard deviation `scale`."""
        return torch.randn(shape, generator=self.generator) * scale


def decoder_weights(decoder: Decoder, weights: Weights) -> Iterator[tuple[str, Tensor]]:
    """The layers and the last norm, as Hugging Face names them after `model.`."""
    width, size = decoder.width, decoder.head_size
    small, even = _scale(decoder), 1 / math.sqrt(width)
    quiet = 0.5 * small / math.sqrt(decoder.layers)
    for layer in range(decoder.layers):
        name = f"layers.{layer}"
        parts = {
            "q_proj": weights.normal(decoder.heads * size, width, scale=even),
            "k_proj": weights.normal(decoder.key_heads * size, width, scale=even),
            "v_proj": weights.normal(decoder.key_heads * size, width, scale=even),
            "o_proj": weights.normal(width, decoder.heads * size, scale=quiet / math.sqrt(decoder.heads * size)),
        }
        down = weights.normal(width, decoder.units, scale=quiet / math.sqrt(decoder.units))
        for written in (parts["o_proj"], down):
            written[[_HERE, _TEXT, _SHARE]] = 0.0
        if layer == 0:
            parts["q_proj"][:size] = 0.0
            parts["v_proj"][0] = 0.0
            parts["v_proj"][0, _TEXT] = 1.0
            parts["o_proj"][_SHARE, 0] = small
        for part, value in parts.items():
            yield f"{name}.self_attn.{part}.weight", value
            if decoder.biased and part != "o_proj":
                yield f"{name}.self_attn.{part}.bias", torch.zeros(len(value))
        yield f"{name}.mlp.gate_proj.weight", weights.normal(decoder.units, width, scale=even)
        yield f"{name}.mlp.up_proj.weight", weights.normal(decoder.units, width, scale=even)
        yield f"{name}.mlp.down_proj.weight", down
        yield f"{name}.input_layernorm.weight", torch.ones(width)
        yield f"{name}.post_attention_layernorm.weight", torch.ones(width)
    # Of either sign: a tied head would else find the input that was last given in every hidden state.
    signs = weights.normal(width, scale=1.0).sign()
    signs[[_HERE, _TEXT, _SHARE]] = 1.0
    yield "norm.weight", signs


def embedding(decoder: Decoder, rows: int, weights: Weights, *, text: slice) -> Tensor:
    """[rows, width]: inputs of which those in `text` are text."""
    small = _scale(decoder)
    table = weights.normal(rows, decoder.width, scale=small)
    table[:, _HERE] = 2 * small
    table[:, _TEXT] = table[:, _SHARE] = 0.0
    table[text, _TEXT] = 2 * small
    return table


def end_row(decoder: Decoder, share: float) -> Tensor:
    """[width]: the head's row for the end, even with the best codes where the share of text is `share`."""
    row = torch.zeros(decoder.width)
    row[_HERE] = (_STEEPNESS * share + _EVEN) / 2
    row[_SHARE] = -_STEEPNESS / 2
    return row


def _scale(decoder: Decoder) -> float:
    """The standard deviation of an embedding with which a tied head's logits have the spread wanted."""
    return _SPREAD / math.sqrt(decoder.width)
