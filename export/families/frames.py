"""What acoustic models of every family do with a batch of items of different lengths."""

from __future__ import annotations

import torch
from torch import Tensor


def length_mask(lengths: Tensor, like: Tensor) -> Tensor:
    """[B, 1] lengths → [B, T, 1] boolean mask with T taken from `like` [B, T, …]: true inside, false in the padding."""
    steps = torch.arange(like.shape[1], device=lengths.device, dtype=lengths.dtype)
    return (steps[None, :] < lengths).unsqueeze(-1)


def hold_last_frame(mel: Tensor, frame_lengths: Tensor) -> Tensor:
    """mel [B, M, bands], frame_lengths [B, 1] int32 → the same with copies of the last frame in the padding.

    A vocoder, which has no mask, then ends an item as it would alone.
    """
    steps = torch.arange(mel.shape[1], device=mel.device, dtype=frame_lengths.dtype)
    source = torch.minimum(steps[None, :], (frame_lengths - 1).clamp(min=0)).to(torch.int64)
    return mel.gather(1, source.unsqueeze(-1).expand(-1, -1, mel.shape[2]))
