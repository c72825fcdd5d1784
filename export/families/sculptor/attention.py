"""What the attentions of the flow have in common."""

from __future__ import annotations

import torch
from torch import Tensor

# Far below every score: its weight is zero in float32, and it is a number of float16.
_NEVER = -1e4


def attention_bias(lengths: Tensor, chunk: Tensor, steps: int, dtype: torch.dtype) -> Tensor:
    """What a step attends to: every step up to the end of its own chunk that is not in the padding.

    lengths and chunk [B, 1] int32, in steps → [B, 1, steps, steps], zero where step i (axis 2) attends to step j
    (axis 3). A chunk of `steps` or more is full attention.
    """
    index = torch.arange(steps, device=lengths.device, dtype=lengths.dtype).unsqueeze(0)
    ends = torch.minimum((torch.div(index, chunk, rounding_mode="floor") + 1) * chunk, lengths)
    seen = index.unsqueeze(1) < ends.unsqueeze(2)
    return torch.where(seen, 0.0, _NEVER).to(dtype).unsqueeze(1)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """x [B, T, heads · size] → [B, heads, T, size]."""
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Query [B, heads, T, size], already scaled, key and value, bias [B, 1 or heads, T, T] → [B, T, heads · size]."""
    weights = torch.softmax(query @ key.transpose(2, 3) + bias, dim=3)
    return (weights @ value).transpose(1, 2).flatten(2)
