"""The decoder half of xcodec2 (Ye et al. 2025, arXiv 2502.04128): speech codes → waveform.

The digits of finite scalar quantisation (Mentzer et al. 2023, arXiv 2309.15505), convolutions around a transformer, and
the head of Vocos (Siuzdak 2023, arXiv 2306.00814), which ends in the spectrum of the audio.

Upstream has rotary embeddings and turns every head by its number instead of every frame by its own, so that query and
key are turned alike and their product is what it is without: here there are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.families.sculptor.attention import attend, split_heads
from export.families.sculptor.fourier import InverseSpectrum

# Of upstream's code: frames that a window of the audio's spectrum is long, and bounds of layers.
OVERLAP = 4
GROUPS = 32
_EMBED_KERNEL, _KERNEL, _BLOCKS = 7, 3, 2
_EPSILON = 1e-6
_LOUDEST = 100.0
# Far below every score: its weight is zero in float32, and it is a number of float16.
_NEVER = -1e4


@dataclass(frozen=True)
class Xcodec2Config:
    """Sizes of the decoder; `levels` of each digit of a code, the lowest first, and `embedding` the width of a code.

    The levels of a digit lie around 0 where they are `symmetric`, and else from -1 to just below 1.
    """

    width: int
    depth: int
    heads: int
    embedding: int
    levels: tuple[int, ...]
    hop_length: int
    sample_rate: int
    symmetric: bool = False


class Digits(nn.Module):
    """A code's digits, as the numbers that they stand for."""

    place: Tensor
    level: Tensor
    step: Tensor

    def __init__(self, levels: Sequence[int], *, symmetric: bool) -> None:
        super().__init__()
        places = [prod(levels[:digit]) for digit in range(len(levels))]
        steps = [2 / (level - 1) if symmetric else 1 / (level // 2) for level in levels]
        self.register_buffer("place", torch.tensor(places), persistent=False)
        self.register_buffer("level", torch.tensor(levels), persistent=False)
        self.register_buffer("step", torch.tensor(steps), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """[B, T] → [B, T, digits]."""
        digits = codes.long().unsqueeze(2) // self.place % self.level
        return digits.to(self.step.dtype) * self.step - 1


class MaskedGroupNorm(nn.GroupNorm):
    """Group normalisation over the frames that there are."""

    def __init__(self, width: int) -> None:
        super().__init__(GROUPS, width, eps=_EPSILON)

    def forward(self, input: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, width, T], which frames there are [B, 1, T] → [B, width, T], 0 where there are none."""
        assert mask is not None
        groups = (input * mask).reshape(input.shape[0], self.num_groups, -1, input.shape[2])
        mask = mask.unsqueeze(1)
        count = mask.sum((2, 3), keepdim=True) * groups.shape[2]
        centred = (groups - groups.sum((2, 3), keepdim=True) / count) * mask
        variance = centred.square().sum((2, 3), keepdim=True) / count
        scaled = (centred * torch.rsqrt(variance + self.eps)).flatten(1, 2)
        normalised: Tensor = (scaled * self.weight[:, None] + self.bias[:, None]) * mask.squeeze(1)
        return normalised


class ResidualBlock(nn.Module):
    """Two convolutions, normalisation and swish before each, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = (MaskedGroupNorm(width) for _ in range(2))
        self.conv1, self.conv2 = (nn.Conv1d(width, width, _KERNEL, padding=_KERNEL // 2) for _ in range(2))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """[B, width, T], mask [B, 1, T] → the same."""
        y: Tensor = self.conv1(F.silu(self.norm1(x, mask)))
        y = self.conv2(F.silu(self.norm2(y, mask)))
        return x + y


class RootMeanSquareNorm(nn.Module):
    """Division by the root of the mean square of the channels (Zhang and Sennrich 2019, arXiv 1910.07467)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] → the same."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + _EPSILON) * self.weight


class TransformerBlock(nn.Module):
    """Attention over all frames and a feed-forward network, normalisation before each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.attention_norm, self.feed_forward_norm = RootMeanSquareNorm(width), RootMeanSquareNorm(width)
        self.projections = nn.Linear(width, 3 * width, bias=False)
        self.mixture = nn.Linear(width, width, bias=False)
        self.widen, self.narrow = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """[B, T, width], bias of the scores [B, 1, 1, T] → [B, T, width]."""
        query, key, value = (
            split_heads(part, self.heads) for part in self.projections(self.attention_norm(x)).chunk(3, dim=2)
        )
        x = x + self.mixture(attend(query * self.scale, key, value, bias))
        y: Tensor = self.narrow(F.silu(self.widen(self.feed_forward_norm(x))))
        return x + y


class Xcodec2(nn.Module):
    """Codes → waveform. Whatever is at a negative code is padding, and changes nothing of the rest."""

    def __init__(self, config: Xcodec2Config) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.digits = Digits(config.levels, symmetric=config.symmetric)
        # The encoder's: part of a checkpoint's decoder, and not used.
        self.quantise = nn.Linear(config.embedding, len(config.levels))
        self.embedding = nn.Linear(len(config.levels), config.embedding)
        self.input = nn.Linear(config.embedding, width)
        self.embed = nn.Conv1d(width, width, _EMBED_KERNEL, padding=_EMBED_KERNEL // 2)
        self.before = nn.ModuleList(ResidualBlock(width) for _ in range(_BLOCKS))
        self.transformer = nn.ModuleList(TransformerBlock(width, config.heads) for _ in range(config.depth))
        self.after = nn.ModuleList(ResidualBlock(width) for _ in range(_BLOCKS))
        self.norm = nn.LayerNorm(width, eps=_EPSILON)
        size = OVERLAP * config.hop_length
        self.spectrum = nn.Linear(width, size + 2)
        self.inverse = InverseSpectrum(torch.hann_window(size), config.hop_length, crop=(size - config.hop_length) // 2)

    @property
    def codes(self) -> int:
        """How many codes there are."""
        return prod(self.config.levels)

    def forward(self, codes: Tensor) -> Tensor:
        """codes [B, T] int32, negative ones are padding at the end → audio [B, T·hop_length]."""
        return self.waveform(self.backbone(self.projected(self.embedded(codes)), codes), codes)

    def embedded(self, codes: Tensor) -> Tensor:
        """codes [B, T] → [B, T, embedding]."""
        vectors: Tensor = self.embedding(self.digits(codes))
        return vectors

    def projected(self, vectors: Tensor) -> Tensor:
        """[B, T, embedding] → [B, T, width]."""
        frames: Tensor = self.input(vectors)
        return frames

    def backbone(self, frames: Tensor, codes: Tensor) -> Tensor:
        """[B, T, width] → the same."""
        there = (codes >= 0).to(frames.dtype)
        mask = there.unsqueeze(1)
        x = self.embed(frames.transpose(1, 2) * mask)
        for block in self.before:
            x = block(x, mask)
        x = x.transpose(1, 2)
        bias = (1 - there)[:, None, None] * _NEVER
        for block in self.transformer:
            x = block(x, bias)
        x = x.transpose(1, 2)
        for block in self.after:
            x = block(x, mask)
        frames = self.norm(x.transpose(1, 2))
        return frames

    def waveform(self, frames: Tensor, codes: Tensor) -> Tensor:
        """[B, T, width] → audio [B, T·hop_length], silent in the padding."""
        magnitude, phase = self.spectrum(frames).transpose(1, 2).unsqueeze(2).chunk(2, dim=1)
        there = (codes >= 0).to(frames.dtype)
        audio = self.inverse(magnitude.exp().clamp(max=_LOUDEST), phase, there[:, None, None])
        # What is left of the last window there was divided by next to nothing.
        samples: Tensor = audio.unflatten(1, (-1, self.config.hop_length)) * there.unsqueeze(2)
        return samples.flatten(1)
