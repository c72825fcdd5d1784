"""Short-time Fourier transforms as convolutions with fixed weights, which every runtime has."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor, nn

from export.vocoders.flat import SubPixelUpsample

# Of the overlapping squared windows, where there are none.
_NO_WINDOW = 1e-8


def fourier_basis(window: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [n + 2, 1, n] float32 of convolutions that are the windowed Fourier transform, and its inverse.

    The channels are the real and then the imaginary parts of the frequencies from 0 to half the rate.
    """
    size = len(window)
    window = window.double()
    frequency = torch.arange(size // 2 + 1, dtype=torch.float64)[:, None]
    angle = 2 * pi * frequency * torch.arange(size, dtype=torch.float64) / size
    forwards = torch.cat([angle.cos(), -angle.sin()])
    # All but the lowest and the highest frequency stand for a negative one, too.
    counts = 2 - ((frequency == 0) | (frequency == size // 2)).double()
    backwards = torch.cat([counts * angle.cos(), -counts * angle.sin()]) / size
    return (forwards * window).float().unsqueeze(1), (backwards * window).float().unsqueeze(1)


class InverseSpectrum(nn.Module):
    """The inverse transform: overlapping windows over the sum of the squared windows that are there.

    The first `crop` samples are dropped: half a window is `torch.istft`, centred.
    """

    def __init__(self, window: Tensor, hop: int, crop: int) -> None:
        super().__init__()
        self.sum = SubPixelUpsample(fourier_basis(window)[1], None, hop, crop)
        self.windows = SubPixelUpsample(window.square()[None, None], None, hop, crop)

    def forward(self, magnitude: Tensor, phase: Tensor, mask: Tensor) -> Tensor:
        """magnitude and phase (radians) [B, n / 2 + 1, 1, T], which frames there are [B, 1, 1, T] → [B, hop · T]."""
        spectrum = torch.cat([magnitude * phase.cos(), magnitude * phase.sin()], dim=1) * mask
        y: Tensor = self.sum(spectrum) / self.windows(mask).clamp(min=_NO_WINDOW)
        return y.flatten(1)
