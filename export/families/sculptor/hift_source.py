"""What excites CosyVoice2's vocoder: sines at the multiples of the fundamental, and noise (HiFTNet, arXiv 2309.09493).

Upstream adds up the fundamental's cycles once per frame and draws a straight line from the middle of a frame to the
middle of the next; before the first middle and after the last one the phase stands still. It draws the noise anew for
each utterance. Here an utterance is vocoded in windows that must join without a seam: `Track` adds to each frame what
its samples need to know of the utterance before it, and the noise that is served is constant.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
