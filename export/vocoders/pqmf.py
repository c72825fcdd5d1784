"""Pseudo-quadrature mirror filter bank (Nguyen 1994, IEEE 258122): sub-bands back to one signal."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class PQMFSynthesis(nn.Module):
    """Stuffs zeros between the samples of each sub-band and filters at the full rate; `taps` is the filter's length."""

    def __init__(self, subbands: int, taps: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose1d(subbands, subbands, subbands, stride=subbands, bias=False)
        self.filter = nn.Conv1d(subbands, 1, taps, padding=(taps - 1) // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, subbands, T] → [B, 1, subbands·T]."""
        y: Tensor = self.filter(self.upsample(x))
        return y


def designed(subbands: int, order: int, cutoff: float, beta: float) -> PQMFSynthesis:
    """A cosine-modulated bank as ParallelWaveGAN designs it.

    The prototype is an ideal low-pass of `cutoff` (a fraction of half the sample rate) under a Kaiser window of shape
    `beta` and even `order`, which makes order + 1 taps (Lin and Vaidyanathan 1998, IEEE 681427).
    """
    bank = PQMFSynthesis(subbands, order + 1)
    steps = np.arange(order + 1) - order / 2
    prototype = cutoff * np.sinc(cutoff * steps) * np.kaiser(order + 1, beta)
    band = np.arange(subbands)[:, None]
    phase = (-1.0) ** band * np.pi / 4
    filters = 2 * prototype * np.cos((2 * band + 1) * np.pi / (2 * subbands) * steps - phase)
    with torch.no_grad():
        # A sample among zeros has lost its power, hence the factor.
        bank.upsample.weight.zero_()
        bank.upsample.weight[range(subbands), range(subbands), 0] = float(subbands)
        bank.filter.weight.copy_(torch.from_numpy(filters)[None])
    return bank


def polyphase(bank: PQMFSynthesis) -> nn.Conv1d:
    """The filter bank as one convolution at the sub-bands' rate: [B, subbands, T] → phases [B, subbands, T]."""
    bands = bank.upsample.in_channels
    reach = -(-bank.filter.kernel_size[0] // (2 * bands))
    impulses = torch.zeros(bands, bands, 2 * reach + 1)
    impulses[range(bands), range(bands), reach] = 1.0
    with torch.no_grad():
        answers = bank(impulses).reshape(bands, 2 * reach + 1, bands)
    # [sub-band, time, phase] → [phase, sub-band, tap]; a convolution in PyTorch is a correlation, hence the flip.
    conv = nn.Conv1d(bands, bands, 2 * reach + 1, padding=reach, bias=False)
    conv.weight = nn.Parameter(answers.permute(2, 0, 1).flip(2).contiguous())
    return conv
