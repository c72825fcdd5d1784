"""The decoder of Llama and Qwen2, with keys and values of earlier ids as inputs and those of new ids as outputs.

Both are pre-norm transformers with rotary positions (Su et al. 2021), grouped queries (Ainslie et al. 2023), RMSNorm
and SwiGLU; Qwen2 has biases on queries, keys and values. Modules have the names of Hugging Face's, so that its
checkpoints load as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

Made = TypeVar("Made", bound=nn.Module)

# What a masked score is: far below any other, and no infinity that a softmax could make NaN of.
_MASKED = -1e9


@dataclass(frozen=True)
class RopeScaling:
    """Llama 3's stretched positions: wavelengths over `original / low` are `factor` times as long, those below
    `original / high` stay, and between the two it is something between.
    """

    factor: float
    low: float
    high: float
    original: int


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of a decoder. `context` is how many positions it was made for, `biased` whether q, k and v have biases."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    key_heads: int
    head_size: int
    units: int
    epsilon: float
    theta: float
    context: int
    scaling: RopeScaling | None = None
    biased: bool = False
    tied: bool = True


def frequencies(config: DecoderConfig) -> Tensor:
    """Radians per position of each pair of channels, FP32 [head_size / 2]."""
    exponents = torch.arange(0, config.head_size, 2, dtype=torch.float32) / config.head_size
    plain = 1.0 / config.theta**exponents
    scaling = config.scaling
    if scaling is None:
        return plain
    lengths = 2 * math.pi / plain
    # 0 where a wavelength is too long for the original context, 1 where it is short in it.
    share = (scaling.original / lengths - scaling.low) / (scaling.high - scaling.low)
    share = share.clamp(0.0, 1.0)
    return plain * (share + (1.0 - share) / scaling.factor)


class RmsNorm(nn.Module):
    """Root mean square normalisation (Zhang & Sennrich 2019)."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon) * self.weight


class Attention(nn.Module):
    """Attention of new ids to the cached ones and to each other, the queries of a group sharing keys and values."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.heads, self.key_heads, self.size = config.heads, config.key_heads, config.head_size
        queries, keys = config.heads * config.head_size, config.key_heads * config.head_size
        self.q_proj = nn.Linear(config.width, queries, bias=config.biased)
        self.k_proj = nn.Linear(config.width, keys, bias=config.biased)
        self.v_proj = nn.Linear(config.width, keys, bias=config.biased)
        self.o_proj = nn.Linear(queries, config.width, bias=False)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """x [B, T, W]; cosines and sines [B, T, 1, D]; mask [B, 1, 1, T, C + T], true where seen; cache [B, H, C, D].

        Returns what is added to x, and the new keys and values [B, H, T, D].
        """
        batch, time, _ = x.shape
        group = self.heads // self.key_heads
        queries = _turned(self.q_proj(x).view(batch, time, self.heads, self.size), turn)
        new_keys = _turned(self.k_proj(x).view(batch, time, self.key_heads, self.size), turn).transpose(1, 2)
        new_values = self.v_proj(x).view(batch, time, self.key_heads, self.size).transpose(1, 2)
        # [B, H, G·T, D]: the queries of a group side by side, so that no key has to be repeated.
        queries = queries.view(batch, time, self.key_heads, group, self.size).permute(0, 2, 3, 1, 4)
        queries = queries.reshape(batch, self.key_heads, group * time, self.size) * self.size**-0.5
        # The scores are joined, and not the keys: to join those would copy the whole cache at every step.
        scores = torch.cat((queries @ keys.transpose(2, 3), queries @ new_keys.transpose(2, 3)), dim=-1)
        cached = keys.shape[2]
        scores = scores.view(batch, self.key_heads, group, time, cached + time).masked_fill(~mask, _MASKED)
        weights = scores.softmax(-1).view(batch, self.key_heads, group * time, cached + time)
        mixed = weights[..., :cached] @ values + weights[..., cached:] @ new_values
        mixed = mixed.view(batch, self.key_heads, group, time, self.size).permute(0, 3, 1, 2, 4)
        return self.o_proj(mixed.reshape(batch, time, self.heads * self.size)), new_keys, new_values


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.width, config.units, bias=False)
        self.up_proj = nn.Linear(config.width, config.units, bias=False)
        self.down_proj = nn.Linear(config.units, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return result


class Layer(nn.Module):
    """One layer of the decoder."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = FeedForward(config)
        self.input_layernorm = RmsNorm(config.width, config.epsilon)
        self.post_attention_layernorm = RmsNorm(config.width, config.epsilon)


class Decoder(nn.Module):
    """All layers and the last norm; `embed_tokens` is there for its name, the inputs are embedded already."""

    frequencies: Tensor

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = RmsNorm(config.width, config.epsilon)
        self.register_buffer("frequencies", frequencies(config), persistent=False)

    def forward(self, x: Tensor, lengths: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Go on after `lengths` ids.

        x FP32 [B, T, W]; lengths INT32 [B, 1], how many ids are cached; keys and values FP32 [B, L, H, C, D], of which
        places from `lengths` on are not looked at. Returns hidden states [B, T, W] and the new keys and values
        [B, L, H, T, D].
        """
        places = torch.arange(x.shape[1], device=x.device)
        angles = (lengths + places)[:, :, None].to(x.dtype) * self.frequencies.to(x.dtype)
        turn = angles.cos()[:, :, None], angles.sin()[:, :, None]
        cached = torch.arange(keys.shape[3], device=x.device) < lengths  # [B, C]
        cached = cached[:, None].expand(-1, x.shape[1], -1)
        causal = (places[None] <= places[:, None])[None].expand(x.shape[0], -1, -1)
        mask = torch.cat((cached, causal), dim=-1)[:, None, None]
        made: list[tuple[Tensor, Tensor]] = []
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            added, *new = layer.self_attn(layer.input_layernorm(x), turn, mask, keys[:, number], values[:, number])
            x = x + added
            x = x + layer.mlp(layer.post_attention_layernorm(x))
            made.append((new[0], new[1]))
        return self.norm(x), torch.stack([k for k, _ in made], 1), torch.stack([v for _, v in made], 1)


class LanguageModel(nn.Module):
    """A decoder with one table of all ids that it can be given, and a head for those that it may give.

    `table` [ids, W]; `head` W → V logits.
    """

    def __init__(self, table: Tensor, decoder: Decoder, head: nn.Linear) -> None:
        super().__init__()
        self.table = nn.Parameter(table, requires_grad=False)
        self.layers = decoder
        self.head = head

    def forward(
        self, ids: Tensor, counts: Tensor, lengths: Tensor, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """ids INT32 [B, T], `counts` INT32 [B, 1] of them real; `lengths`, `keys` and `values` as `Decoder` has them.

        Returns the logits [B, V] after the last real id, and the new keys and values [B, L, H, T, D].
        """
        hidden, new_keys, new_values = self.layers(functional.embedding(ids, self.table), lengths, keys, values)
        last = (counts.to(torch.int64) - 1)[:, :, None].expand(-1, -1, hidden.shape[2])
        return self.head(hidden.gather(1, last)[:, 0]), new_keys, new_values


def unfilled(make: Callable[[], Made]) -> Made:
    """A module whose weights are yet to be loaded, without the minutes that it takes to draw random ones."""
    with torch.device("meta"):
        module = make()
    module.to_empty(device="cpu")
    for part in module.modules():
        if isinstance(part, Decoder):
            part.frequencies = frequencies(part.config)
    return module


def _turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """x [B, T, H, D] with its positions, the first half of the channels paired with the second."""
    first, second = x.chunk(2, dim=-1)
    cosines, sines = turn
    return torch.cat((first * cosines - second * sines, second * cosines + first * sines), dim=-1)
