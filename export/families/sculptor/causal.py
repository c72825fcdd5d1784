"""Convolutions over time that see nothing of what comes later."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def causal_convolution(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x [B, T, channels], weight [out, channels, kernel], bias [out] → [B, T, out]; zeros are before the start."""
    padded = F.pad(x.transpose(1, 2), (weight.shape[2] - 1, 0))
    return F.conv1d(padded, weight, bias).transpose(1, 2)
