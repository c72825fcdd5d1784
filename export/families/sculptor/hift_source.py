"""What excites CosyVoice2's vocoder: sines at the multiples of the fundamental, and noise (HiFTNet, arXiv 2309.09493).

Upstream adds up the fundamental's cycles once per frame and draws a straight line from the middle of a frame to the
middle of the next; before the first middle and after the last one the phase stands still. It draws the noise anew for
each utterance. Here an utterance is vocoded in windows that must join without a seam: `Track` adds to each frame what
its samples need to know of the utterance before it, and the noise that is served is constant.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor, nn

from export.families.sculptor.cosyvoice_config import HiftConfig
from export.families.sculptor.f0_predictor import F0Predictor
from export.vocoders.nsf import NOISE_FRAMES, PHASE_UNIT

# Channels that `Track` appends: f0, phase, frame number.
TRACK = 3
# A track's f0 is in this many Hz, so that what float32 rounds off it is below the absolute error allowed of a graph.
F0_UNIT = 1000.0

# f0 in steps of 2⁻²⁰ Hz is a whole number, so that cycles add up without rounding.
_STEPS_PER_HZ = 1 << 20


class Track(nn.Module):
    """Appends the track of the source to the mel spectrogram of an utterance, from its first frame on.

    A frame's track changes no more once `f0_predictor.REACH` frames after it are there.
    """

    def __init__(self, predictor: F0Predictor, sample_rate: int, hop_length: int) -> None:
        super().__init__()
        self.predictor = predictor
        self.hop_length = hop_length
        self.steps_per_cycle = sample_rate * _STEPS_PER_HZ

    def forward(self, mel: Tensor, mask: Tensor) -> Tensor:
        """mel [B, M, bands], mask [B, M] (1 for a frame, 0 for padding after the last) → mel [B, M, bands + 3].

        After the bands come f0 in units of `F0_UNIT` Hz; the fundamental's phase in the middle of the frame, modulo 1,
        in units of `PHASE_UNIT` cycles; and the frame's number modulo `NOISE_FRAMES`. Padding has f0 0 and the number
        of the last frame, by which the vocoder knows it.
        """
        f0 = self.predictor(mel, mask)
        steps = (f0 * _STEPS_PER_HZ).round().long() * self.hop_length
        phase = (steps.cumsum(1) % self.steps_per_cycle).to(mel.dtype) / (self.steps_per_cycle * PHASE_UNIT)
        number = ((mask.long().cumsum(1) - 1) % NOISE_FRAMES).to(mel.dtype)
        return torch.cat([mel, torch.stack([f0 / F0_UNIT, phase, number], dim=2)], dim=2)


def frames_of(mel: Tensor) -> Tensor:
    """Which frames of a mel with its track [B, M, bands + 3] are no padding: [B, M], 1 or 0.

    Padding repeats the number of the frame before it, whether `Track` gives it or a mel's last frame was repeated.
    """
    number = mel[..., -1]
    others = (number[:, 1:] != number[:, :-1]).to(mel.dtype)
    return torch.cat([torch.ones_like(number[:, :1]), others], dim=1)


class HarmonicSource(nn.Module):
    """f0 and phase of each frame → excitation. `mixture` is the layer [1, sines] that mixes sines and noise."""

    multiples: Tensor
    before: Tensor
    after: Tensor

    def __init__(self, config: HiftConfig, mixture: nn.Linear, hop_length: int) -> None:
        super().__init__()
        self.config = config
        self.mixture = mixture
        self.hop_length = hop_length
        # In seconds after the middle of the frame.
        time = (torch.arange(hop_length) + 0.5 - hop_length / 2) / config.sample_rate
        self.register_buffer("before", time.clamp(max=0), persistent=False)
        self.register_buffer("after", time.clamp(min=0), persistent=False)
        self.register_buffer("multiples", torch.arange(1.0, mixture.in_features + 1), persistent=False)

    def hiss(self, noise: Tensor) -> Tensor:
        """Standard normal noise of each sine [..., sines] → mixed [...]."""
        return noise @ self.mixture.weight[0]

    def forward(self, mel: Tensor, hiss: Tensor) -> Tensor:
        """mel with its track [B, M, bands + 3], mixed noise [B, M, hop_length] → excitation [B, M, hop_length]."""
        f0 = mel[..., -3:-2] * F0_UNIT * frames_of(mel).unsqueeze(2)
        # The line to the middle of a frame rises by the f0 of that frame.
        edge = torch.zeros_like(f0[:, :1])
        into, onwards = torch.cat([edge, f0[:, 1:]], dim=1), torch.cat([f0[:, 1:], edge], dim=1)
        cycles = mel[..., -2:-1] * PHASE_UNIT + into * self.before + onwards * self.after
        angles = 2 * pi * (cycles - cycles.floor()).unsqueeze(3) * self.multiples
        sines = self.config.amplitude * (angles.sin() @ self.mixture.weight[0])
        voiced = (f0 > self.config.voiced_from).to(mel.dtype)
        excitation = voiced * (sines + self.config.breath * hiss) + (1 - voiced) * (self.config.amplitude / 3 * hiss)
        return torch.tanh(excitation + self.mixture.bias)


class ConstantHiss(nn.Module):
    """The noise that is served: constant, so that a frame's samples do not depend on its window."""

    frames: Tensor

    def __init__(self, source: HarmonicSource) -> None:
        super().__init__()
        shape = (NOISE_FRAMES, source.hop_length, source.mixture.in_features)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            self.register_buffer("frames", source.hiss(noise), persistent=False)

    def forward(self, mel: Tensor) -> Tensor:
        """mel with its track [B, M, bands + 3] → mixed noise [B, M, hop_length]."""
        return self.frames[mel[..., -1].long()]
