"""The exact map from a voice's mel spectrogram to a vocoder's, as the first layer of what is served."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from export.vocoders.vocoder import Vocoder


class Bridge(nn.Module):
    """Takes the first channels of a mel spectrogram, and of each a multiple with an offset."""

    factor: Tensor
    offset: Tensor

    def __init__(self, factor: npt.NDArray[np.float64], offset: npt.NDArray[np.float64]) -> None:
        super().__init__()
        self.register_buffer("factor", torch.from_numpy(factor).float())
        self.register_buffer("offset", torch.from_numpy(offset).float())

    def forward(self, mel: Tensor) -> Tensor:
        """mel [B, M, C] → [B, M, channels] with channels ≤ C."""
        return mel[..., : self.factor.shape[0]] * self.factor + self.offset


def bridged(
    vocoder: Vocoder, channels: int, factor: npt.NDArray[np.float64], offset: npt.NDArray[np.float64]
) -> Vocoder:
    """A vocoder for mel spectrograms of `channels`, at least its own, whose bands are the first of them.

    `factor` and `offset` [bands] are those of `export.mel.bridge`; what a vocoder takes after the bands is left alone.
    """
    identity = bool((factor == 1).all() and (offset == 0).all())
    if identity and channels == vocoder.channels:
        return vocoder
    others = vocoder.channels - len(factor)
    first = Bridge(np.pad(factor, (0, others), constant_values=1), np.pad(offset, (0, others)))
    return replace(vocoder, module=nn.Sequential(first, vocoder.module), channels=channels)
