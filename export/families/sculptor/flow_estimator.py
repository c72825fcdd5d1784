"""The causal estimator of CosyVoice2's flow: which way a noisy mel spectrogram moves at a moment of the flow.

A U-Net of one level after Matcha-TTS (Mehta et al. 2023, arXiv 2309.03199) whose convolutions are causal. Its
parameters have upstream's names. What does not change from step to step of the flow, `fixed` and `moments`, is computed
apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log, sqrt
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.families.sculptor.attention import attend, split_heads
from export.families.sculptor.causal import causal_convolution
from export.families.sculptor.cosyvoice_config import BANDS, EstimatorConfig

# Noisy mel, features, speaker and prompt lie beside each other in the input.
_INPUTS = 4 * BANDS
_MOMENT_SCALE = 1000


class Estimator(nn.Module):
    """Noisy mel, moment and condition → velocity."""

    def __init__(self, config: EstimatorConfig) -> None:
        super().__init__()
        width = config.channels
        self.time_mlp = MomentEmbedding(_INPUTS, 4 * width)
        self.down_blocks = nn.ModuleList([_part(_INPUTS, config, smoothed=True)])
        self.mid_blocks = nn.ModuleList(_part(width, config, smoothed=False) for _ in range(config.middle_blocks))
        self.up_blocks = nn.ModuleList([_part(2 * width, config, smoothed=True)])
        self.final_block = CausalBlock(width, width)
        self.final_proj = nn.Conv1d(width, BANDS, 1)

    def moments(self, moments: Tensor) -> Tensor:
        """What the residual blocks add at moments [S] of the flow, from 0 to 1 → [S, blocks, channels]."""
        embedded = self.time_mlp(moments)
        return torch.stack([residual.mlp(embedded) for residual, _ in self._parts()], dim=1)

    def fixed(self, features: Tensor, speaker: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
        """What the first block makes of the condition: before its normalisation, and beside it, each [B, T, channels].

        features and prompt [B, T, 80], speaker [B, 80].
        """
        condition = torch.cat([features, speaker.unsqueeze(1).expand_as(features), prompt], dim=2)
        return self._first.of_rest(condition, BANDS)

    def forward(self, x: Tensor, moment: Tensor, fixed: Sequence[tuple[Tensor, Tensor]], bias: Tensor) -> Tensor:
        """x [B, T, 80] and moment [blocks, channels] → velocity [n·B, T, 80] under each of n conditions in turn.

        `fixed` has an entry for each of them; bias [n·B, 1, T, T].
        """
        parts = list(self._parts())
        x = self._first.of_first(x, BANDS, fixed, moment[0])
        x = parts[0][1](x, bias)
        skipped = x
        x = causal_convolution(x, *self._smoothing(self.down_blocks))
        for number, (residual, transformers) in enumerate(parts[1:-1], start=1):
            x = transformers(residual(x, moment[number]), bias)
        residual, transformers = parts[-1]
        x = transformers(residual(torch.cat([x, skipped], dim=2), moment[-1]), bias)
        x = self.final_block(causal_convolution(x, *self._smoothing(self.up_blocks)))
        return F.linear(x, self.final_proj.weight.squeeze(2), self.final_proj.bias)

    @property
    def _first(self) -> ResidualBlock:
        return next(self._parts())[0]

    def _parts(self) -> Iterator[tuple[ResidualBlock, Transformers]]:
        for part in (*self.down_blocks, *self.mid_blocks, *self.up_blocks):
            residual, transformers = list(cast(nn.ModuleList, part))[:2]
            yield cast(ResidualBlock, residual), cast(Transformers, transformers)

    @staticmethod
    def _smoothing(parts: nn.ModuleList) -> tuple[Tensor, Tensor | None]:
        layer = cast(nn.Conv1d, cast(nn.ModuleList, parts[0])[2])
        return layer.weight, layer.bias


def _part(inputs: int, config: EstimatorConfig, *, smoothed: bool) -> nn.ModuleList:
    width = config.channels
    smoothing = [nn.Conv1d(width, width, 3)] if smoothed else []
    return nn.ModuleList([ResidualBlock(inputs, width), Transformers(config), *smoothing])


class MomentEmbedding(nn.Module):
    """Sinusoids of a moment of the flow through two linear layers."""

    def __init__(self, sinusoids: int, units: int) -> None:
        super().__init__()
        self.pairs = sinusoids // 2
        self.linear_1 = nn.Linear(sinusoids, units)
        self.linear_2 = nn.Linear(units, units)

    def forward(self, moments: Tensor) -> Tensor:
        """moments [S] → [S, units]."""
        # In float32 as upstream, whatever the type of the moments: the angles are rounded there.
        order = torch.arange(self.pairs, device=moments.device, dtype=torch.float32)
        rates = torch.exp(order * -(log(10000.0) / (self.pairs - 1)))
        angles = (_MOMENT_SCALE * moments.to(torch.float32).unsqueeze(1) * rates).to(moments.dtype)
        embedded: Tensor = self.linear_2(F.silu(self.linear_1(torch.cat([angles.sin(), angles.cos()], dim=1))))
        return embedded


class CausalBlock(nn.Module):
    """A causal convolution, its normalisation and a mish."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        # Upstream has transpositions at the places 1 and 3 of its sequence.
        self.block = nn.ModuleDict({"0": nn.Conv1d(inputs, outputs, 3), "2": nn.LayerNorm(outputs)})

    @property
    def convolution(self) -> nn.Conv1d:
        return cast(nn.Conv1d, self.block["0"])

    def forward(self, x: Tensor) -> Tensor:
        """x [B, T, inputs] → [B, T, outputs]."""
        return self.finish(causal_convolution(x, self.convolution.weight, self.convolution.bias))

    def finish(self, x: Tensor) -> Tensor:
        """What comes after the convolution."""
        finished: Tensor = F.mish(self.block["2"](x))
        return finished


class ResidualBlock(nn.Module):
    """Two causal blocks, with the moment added between them, and a linear layer beside them."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Mish(), nn.Linear(4 * width, width))
        self.block1 = CausalBlock(inputs, width)
        self.block2 = CausalBlock(width, width)
        self.res_conv = nn.Conv1d(inputs, width, 1)

    def forward(self, x: Tensor, moment: Tensor) -> Tensor:
        """x [B, T, inputs], moment [width] → [B, T, width]."""
        beside = F.linear(x, self.res_conv.weight.squeeze(2), self.res_conv.bias)
        y: Tensor = self.block2(self.block1(x) + moment) + beside
        return y

    def of_rest(self, x: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """What the two convolutions make of all channels but the `first` ones, x [B, T, inputs − first]."""
        convolution = self.block1.convolution
        return (
            causal_convolution(x, convolution.weight[:, first:], convolution.bias),
            F.linear(x, self.res_conv.weight[:, first:, 0], self.res_conv.bias),
        )

    def of_first(self, x: Tensor, first: int, fixed: Sequence[tuple[Tensor, Tensor]], moment: Tensor) -> Tensor:
        """The block for x [B, T, first] and each of n things that `of_rest` gave → [n·B, T, width]."""
        own = causal_convolution(x, self.block1.convolution.weight[:, :first], None)
        beside = F.linear(x, self.res_conv.weight[:, :first, 0])
        y = self.block1.finish(torch.cat([own + before for before, _ in fixed]))
        changed: Tensor = self.block2(y + moment) + torch.cat([beside + rest for _, rest in fixed])
        return changed


class Transformers(nn.ModuleList):
    """Transformer blocks one after another."""

    def __init__(self, config: EstimatorConfig) -> None:
        super().__init__(TransformerBlock(config) for _ in range(config.transformers))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x [B, T, width], bias [B, 1, T, T] → [B, T, width]."""
        for block in self:
            x = block(x, bias)
        return x


class TransformerBlock(nn.Module):
    """Self-attention and a feed-forward layer, each behind its normalisation."""

    def __init__(self, config: EstimatorConfig) -> None:
        super().__init__()
        width = config.channels
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = Attention(width, config.heads, config.head_size)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width, 4 * width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x [B, T, width] → the same shape; bias of `attention_bias`."""
        x = x + self.attn1(self.norm1(x), bias)
        changed: Tensor = x + self.ff(self.norm3(x))
        return changed


class Attention(nn.Module):
    """Self-attention whose heads need not share the width among them."""

    def __init__(self, width: int, heads: int, head_size: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = 1 / sqrt(head_size)
        inner = heads * head_size
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_k = nn.Linear(width, inner, bias=False)
        self.to_v = nn.Linear(width, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, width))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x [B, T, width], bias [B, 1, T, T] → [B, T, width]."""
        query, key, value = (split_heads(f(x), self.heads) for f in (self.to_q, self.to_k, self.to_v))
        attended: Tensor = self.to_out(attend(query * self.scale, key, value, bias))
        return attended


class FeedForward(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.net = nn.ModuleDict({"0": nn.ModuleDict({"proj": nn.Linear(width, units)}), "2": nn.Linear(units, width)})

    def forward(self, x: Tensor) -> Tensor:
        """x [B, T, width] → the same shape."""
        first = cast(nn.ModuleDict, self.net["0"])["proj"]
        y: Tensor = self.net["2"](F.gelu(first(x)))
        return y
