"""What tells a generator's waveform from the teacher's, and what teaches it to fool a discriminator.

The spectral distances are those of Parallel WaveGAN (Yamamoto et al. 2020, arXiv 1910.11480) and HiFi-GAN (Kong et al.
2020, arXiv 2010.05646), the adversarial ones least squares (Mao et al. 2017, arXiv 1611.04076). All in float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# n_fft, hop and window of each resolution, as in Parallel WaveGAN.
RESOLUTIONS = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
# Magnitudes below are as good as silence.
_FLOOR = 1e-5


def magnitudes(audio: Tensor, n_fft: int, hop: int, window: int) -> Tensor:
    """audio [B, T] → magnitudes of a Hann-windowed STFT [B, n_fft // 2 + 1, frames], `_FLOOR` at least."""
    hann = torch.hann_window(window, device=audio.device)
    spectrum = torch.stft(audio.float(), n_fft, hop, window, hann, pad_mode="constant", return_complex=True)
    # Of the square: the gradient of the root at 0 is infinite.
    return torch.view_as_real(spectrum).square().sum(-1).clamp(min=_FLOOR**2).sqrt()


def stft_loss(generated: Tensor, real: Tensor) -> Tensor:
    """Spectral convergence and L1 of the logarithmic magnitudes, summed; the mean of all resolutions. [B, T] each."""
    losses = []
    for resolution in RESOLUTIONS:
        a, b = magnitudes(generated, *resolution), magnitudes(real, *resolution)
        losses.append(torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b) + F.l1_loss(a.log(), b.log()))
    return torch.stack(losses).mean()


def log_spectral_distance(generated: Tensor, real: Tensor) -> Tensor:
    """The root mean square over the frequencies of the difference in dB, its mean over the frames. [B, T] each."""
    a, b = (20 * magnitudes(audio, 2048, 300, 1200).log10() for audio in (generated, real))
    return (a - b).square().mean(1).sqrt().mean()


class MelLoss(nn.Module):
    """L1 between logarithmic mel spectrograms over the whole band, which the voice's own mel does not reach."""

    def __init__(self, sample_rate: int, bands: int = 80, n_fft: int = 1024, hop: int = 256) -> None:
        super().__init__()
        self._n_fft, self._hop = n_fft, hop
        self.filters: Tensor
        self.register_buffer("filters", _mel_filters(sample_rate, bands, n_fft))

    def forward(self, generated: Tensor, real: Tensor) -> Tensor:
        """[B, T] each → a number."""
        a, b = (self.filters @ magnitudes(audio, self._n_fft, self._hop, self._n_fft) for audio in (generated, real))
        return F.l1_loss(a.clamp(min=_FLOOR).log(), b.clamp(min=_FLOOR).log())


def _mel_filters(sample_rate: int, bands: int, n_fft: int) -> Tensor:
    """Triangles that are equally wide on the mel scale, [bands, n_fft // 2 + 1], each with the sum 1."""
    top = 2595 * torch.log10(torch.tensor(1 + sample_rate / 2 / 700))
    edges = 700 * (10 ** (torch.linspace(0, 1, bands + 2) * top / 2595) - 1)
    bins = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    # The lowest triangles may lie between two bins.
    filters = torch.minimum(rising, falling).clamp(min=0)
    return filters / filters.sum(1, keepdim=True).clamp(min=1e-3)


# Of each discriminator, what each of its layers makes; the last is its judgement.
Features = Sequence[Sequence[Tensor]]


def discriminator_loss(real: Features, generated: Features) -> Tensor:
    """How far the judgements are from 1 for what is real and from 0 for what is generated."""
    pairs = zip(real, generated, strict=True)
    return torch.stack([(1 - r[-1].float()).square().mean() + g[-1].float().square().mean() for r, g in pairs]).sum()


def adversarial_loss(generated: Features) -> Tensor:
    """How far the judgements of what is generated are from 1."""
    return torch.stack([(1 - layers[-1].float()).square().mean() for layers in generated]).sum()


def feature_loss(real: Features, generated: Features) -> Tensor:
    """L1 between what the layers before the judgement make of both."""
    pairs = [
        (r, g)
        for reals, fakes in zip(real, generated, strict=True)
        for r, g in zip(reals[:-1], fakes[:-1], strict=True)
    ]
    return torch.stack([F.l1_loss(g.float(), r.float()) for r, g in pairs]).sum()
