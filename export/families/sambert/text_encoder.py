"""The text encoder of SAM-BERT: feed-forward transformer layers over the sum of four embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.families.sambert.config import SambertConfig
from export.families.sambert.layers import EPSILON, MASKED, FeedForward


class SelfAttention(nn.Module):
    """Pre-norm multi-head self attention; the residual is added only where input and output are of one width."""

    def __init__(self, inputs: int, units: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.width = units // heads
        self.layer_norm = nn.LayerNorm(inputs, eps=EPSILON)
        self.w_qkv = nn.Linear(inputs, 3 * heads * self.width)
        self.fc = nn.Linear(heads * self.width, units)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, inputs], mask [B, T, 1] → [B, T, units]."""
        packed = self.w_qkv(self.layer_norm(x)).unflatten(-1, (3, self.heads, self.width))
        query, key, value = packed.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(2, 3) * self.width**-0.5
        scores = scores + ((1.0 - mask) * MASKED).transpose(1, 2).unsqueeze(1)
        y: Tensor = self.fc((scores.softmax(-1) @ value).transpose(1, 2).flatten(2))
        if y.shape[-1] == x.shape[-1]:
            y = y + x
        return y * mask


class TransformerLayer(nn.Module):
    """Self attention and a feed-forward part with a convolution of width 3."""

    def __init__(self, inputs: int, config: SambertConfig) -> None:
        super().__init__()
        self.slf_attn = SelfAttention(inputs, config.encoder_units, config.encoder_heads)
        self.pos_ffn = FeedForward(config.encoder_units, config.encoder_filter, 3)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, inputs], mask [B, T, 1] → [B, T, units]."""
        y: Tensor = self.pos_ffn(self.slf_attn(x, mask), mask)
        return y


class Transformer(nn.Module):
    """Transformer layers over scaled embeddings with sinusoidal positions."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        widths = [config.embedding] + [config.encoder_units] * (config.encoder_layers - 1)
        self.scale = config.encoder_units**0.5
        self.fft = nn.ModuleList(TransformerLayer(width, config) for width in widths)
        self.ln = nn.LayerNorm(config.encoder_units, eps=EPSILON)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, embedding], mask [B, T, 1] → [B, T, units]."""
        x = (x * self.scale + _positions(x)) * mask
        for layer in self.fft:
            x = layer(x, mask)
        y: Tensor = self.ln(x)
        return y


class TextEncoder(nn.Module):
    """Units → one vector each."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        sizes = config.vocabularies
        self.sy_emb = nn.Embedding(sizes["sy"], config.embedding)
        self.tone_emb = nn.Embedding(sizes["tone"], config.embedding)
        self.syllable_flag_emb = nn.Embedding(sizes["syllable_flag"], config.embedding)
        self.ws_emb = nn.Embedding(sizes["word_segment"], config.embedding)
        self.ling_enc = Transformer(config)
        self.ling_proj = nn.Linear(config.encoder_units, config.text_units, bias=False)

    def forward(self, units: Tensor, mask: Tensor) -> Tensor:
        """units [B, T, 4 or more] int32, of which the first four count, mask [B, T, 1] → [B, T, text_units]."""
        x = self.sy_emb(units[..., 0]) + self.tone_emb(units[..., 1])
        x = x + self.syllable_flag_emb(units[..., 2]) + self.ws_emb(units[..., 3])
        y: Tensor = self.ling_proj(self.ling_enc(x, mask)) * mask
        return y


def _positions(like: Tensor) -> Tensor:
    """[T, embedding]: the sines, then the cosines, of positions counted from 1."""
    half = like.shape[2] // 2
    steps = torch.arange(1, like.shape[1] + 1, device=like.device, dtype=like.dtype)
    exponents = torch.arange(half, device=like.device, dtype=like.dtype) / (half - 1)
    angles = steps[:, None] / 10000**exponents
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
