"""Networks that tell the teacher's waveform from a generator's.

Multi-period ones (HiFi-GAN, Kong et al. 2020, arXiv 2010.05646), of half the width there, and multi-resolution ones on
magnitude spectrograms (UnivNet, Jang et al. 2021, arXiv 2106.07889), whose strides halve the frequencies as well as the
frames: the cost of all discriminators is then half. Without a multi-scale one: the spectrograms see what it sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from export.distill.losses import RESOLUTIONS, magnitudes

_SLOPE = 0.1
PERIODS = (2, 3, 5, 7, 11)


class _Layers(nn.Module):
    """2-D convolutions with leaky ReLUs and a last one to one channel."""

    def __init__(self, convolutions: list[nn.Conv2d], judge: nn.Conv2d) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(weight_norm(layer) for layer in convolutions)
        self.judge = weight_norm(judge)

    def forward(self, x: Tensor) -> list[Tensor]:
        """[B, 1, H, W] → what each layer makes of it, the judgement last."""
        features = []
        for layer in self.convolutions:
            x = F.leaky_relu(layer(x), _SLOPE)
            features.append(x)
        return [*features, self.judge(x)]


class PeriodDiscriminator(nn.Module):
    """Judges every `period`-th sample together."""

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        sizes = (1, width, 4 * width, 16 * width, 32 * width)
        layers = [nn.Conv2d(a, b, (5, 1), (3, 1), padding=(2, 0)) for a, b in pairwise(sizes)]
        layers.append(nn.Conv2d(sizes[-1], sizes[-1], (5, 1), padding=(2, 0)))
        self.layers = _Layers(layers, nn.Conv2d(sizes[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, audio: Tensor) -> list[Tensor]:
        """[B, T] → the layers' outputs."""
        rest = -audio.shape[1] % self.period
        folded = F.pad(audio, (0, rest)).view(len(audio), 1, -1, self.period)
        features: list[Tensor] = self.layers(folded)
        return features


class ResolutionDiscriminator(nn.Module):
    """Judges a magnitude spectrogram."""

    def __init__(self, resolution: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.resolution = resolution
        layers = [nn.Conv2d(1, width, (3, 9), padding=(1, 4))]
        layers += [nn.Conv2d(width, width, (3, 9), 2, padding=(1, 4)) for _ in range(3)]
        layers.append(nn.Conv2d(width, width, 3, padding=1))
        self.layers = _Layers(layers, nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, audio: Tensor) -> list[Tensor]:
        """[B, T] → the layers' outputs."""
        with torch.autocast(audio.device.type, enabled=False):
            spectrogram = magnitudes(audio, *self.resolution)
        features: list[Tensor] = self.layers(spectrogram.unsqueeze(1))
        return features


class Discriminators(nn.Module):
    """All of them; `width` is the multi-resolution ones' and twice the multi-period ones' first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.period = nn.ModuleList(PeriodDiscriminator(period, width // 2) for period in PERIODS)
        self.resolution = nn.ModuleList(ResolutionDiscriminator(resolution, width) for resolution in RESOLUTIONS)

    def forward(self, audio: Tensor) -> list[list[Tensor]]:
        """[B, T] → of each, its layers' outputs."""
        return [one(audio) for one in self._all()]

    def _all(self) -> Iterator[nn.Module]:
        yield from self.period
        yield from self.resolution
