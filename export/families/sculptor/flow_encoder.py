"""The upsampling conformer encoder of CosyVoice2's flow: speech tokens → features at twice their rate.

Self-attention with relative positions (Dai et al. 2019, arXiv 1901.02860, section 3.3), before and after time is
doubled; a convolution that looks a few tokens ahead stands in front of it. The parameters have upstream's names.
"""

from __future__ import annotations

from math import log, sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.families.sculptor.attention import attend, split_heads
from export.families.sculptor.causal import causal_convolution
from export.families.sculptor.cosyvoice_config import FRAMES_PER_TOKEN, EncoderConfig

_EPS_OF_BLOCKS = 1e-12
_SLOPE = 0.01


class Encoder(nn.Module):
    """Embedded tokens → features of mel frames, exact in a batch of items of different lengths."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.width
        self.width = width
        self.embed = Projection(width)
        self.pre_lookahead_layer = LookAhead(width, config.look_ahead)
        self.encoders = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.up_layer = Doubling(width)
        self.up_embed = Projection(width)
        self.up_encoders = nn.ModuleList(Block(config) for _ in range(config.up_blocks))
        self.after_norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, known: Tensor, bias: Tensor, frame_bias: Tensor) -> Tensor:
        """tokens [B, N, width] → features [B, 2N, width].

        known [B, N, 1] is 1 where there is a token and 0 in the padding. The biases [B, 1, N, N] and [B, 1, 2N, 2N] say
        what attends to what; tokens that are known and attended to by nothing are look-ahead alone.
        """
        # Upstream leaves out the mask: the bias of the embedding would be seen from in front of the end.
        x = self.pre_lookahead_layer(self.embed(tokens) * known)
        positions = relative_positions(x)
        for block in self.encoders:
            x = block(x, positions, bias)
        x = self.up_embed(self.up_layer(x))
        positions = relative_positions(x)
        for block in self.up_encoders:
            x = block(x, positions, frame_bias)
        features: Tensor = self.after_norm(x)
        return features


class Projection(nn.Module):
    """A linear layer and its normalisation, on the scale of the positions beside it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width))
        self.scale = sqrt(width)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, T, width] → [B, T, width]."""
        projected: Tensor = self.out(x) * self.scale
        return projected


class LookAhead(nn.Module):
    """Adds to each token what the next few of them tell."""

    def __init__(self, width: int, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.conv1 = nn.Conv1d(width, width, tokens + 1)
        self.conv2 = nn.Conv1d(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, N, width], which is zero where nothing is known → the same shape."""
        ahead = F.pad(x.transpose(1, 2), (0, self.tokens))
        ahead = F.leaky_relu(self.conv1(ahead), _SLOPE)
        return x + causal_convolution(ahead.transpose(1, 2), self.conv2.weight, self.conv2.bias)


class Doubling(nn.Module):
    """Each token twice, smoothed by a causal convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 2 * FRAMES_PER_TOKEN + 1)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, N, width] → [B, 2N, width]."""
        twice = x.unsqueeze(2).expand(-1, -1, FRAMES_PER_TOKEN, -1).flatten(1, 2)
        return causal_convolution(twice, self.conv.weight, self.conv.bias)


class Block(nn.Module):
    """Self-attention and a feed-forward layer, each behind its normalisation."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.self_attn = RelativeAttention(config.width, config.heads)
        self.feed_forward = FeedForward(config.width, config.units)
        self.norm_ff = nn.LayerNorm(config.width, eps=_EPS_OF_BLOCKS)
        self.norm_mha = nn.LayerNorm(config.width, eps=_EPS_OF_BLOCKS)

    def forward(self, x: Tensor, positions: Tensor, bias: Tensor) -> Tensor:
        """x [B, T, width] → the same shape; see `RelativeAttention`."""
        x = x + self.self_attn(self.norm_mha(x), positions, bias)
        changed: Tensor = x + self.feed_forward(self.norm_ff(x))
        return changed


class FeedForward(nn.Module):
    """Two linear layers with a swish between them."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.w_1 = nn.Linear(width, units)
        self.w_2 = nn.Linear(units, width)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, T, width] → the same shape."""
        y: Tensor = self.w_2(F.silu(self.w_1(x)))
        return y


class RelativeAttention(nn.Module):
    """Self-attention whose scores depend on the distance between query and key, too."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = 1 / sqrt(width // heads)
        self.linear_q = nn.Linear(width, width)
        self.linear_k = nn.Linear(width, width)
        self.linear_v = nn.Linear(width, width)
        self.linear_out = nn.Linear(width, width)
        self.linear_pos = nn.Linear(width, width, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(heads, width // heads))
        self.pos_bias_v = nn.Parameter(torch.zeros(heads, width // heads))

    def forward(self, x: Tensor, positions: Tensor, bias: Tensor) -> Tensor:
        """x [B, T, width], positions [1, 2T, width] of `relative_positions`, bias [B, 1, T, T] → [B, T, width]."""
        query, key, value = (split_heads(f(x), self.heads) for f in (self.linear_q, self.linear_k, self.linear_v))
        distances = split_heads(self.linear_pos(positions), self.heads)
        of_content = (query + self.pos_bias_u.unsqueeze(1)) * self.scale
        of_distance = (query + self.pos_bias_v.unsqueeze(1)) * self.scale
        bias = bias + _by_key(of_distance @ distances.transpose(2, 3))
        attended: Tensor = self.linear_out(attend(of_content, key, value, bias))
        return attended


def _by_key(scores: Tensor) -> Tensor:
    """Scores by distance [B, heads, T, 2T], from T − 1 down to −T → scores by key [B, heads, T, T].

    Key j of query i is at the distance i − j: column T − 1 − i + j, which in the rows laid end to end is a constant
    step from row to row.
    """
    batch, heads, steps, _ = scores.shape
    shifted = scores.flatten(2)[:, :, steps - 1 : -1].reshape(batch, heads, steps, 2 * steps - 1)
    return shifted[..., :steps]


def relative_positions(x: Tensor) -> Tensor:
    """Sinusoids of the distances T − 1 down to −T, for x [B, T, width] → [1, 2T, width], sine and cosine in turn."""
    steps, width = x.shape[1], x.shape[2]
    distances = (steps - 1) - torch.arange(2 * steps, device=x.device)
    even = torch.arange(0, width, 2, device=x.device, dtype=torch.float32)
    # In float32 as upstream, whatever the type of x: the angles of long distances are rounded there.
    angles = distances.to(torch.float32).unsqueeze(1) * torch.exp(even * -(log(10000.0) / width))
    angles = angles.to(x.dtype)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1).unsqueeze(0)
