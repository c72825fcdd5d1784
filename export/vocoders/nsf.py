"""The harmonic source of a neural source-filter vocoder (Wang et al. 2019, arXiv 1904.12088), as KAN-TTS uses it.

Sines at the multiples of the fundamental frequency where speech is voiced, noise where it is not, mixed into one signal
that excites the generator. KAN-TTS draws the sines' initial phases and the noise anew for each utterance and counts the
cycles of the fundamental from the utterance's start. Here a clause is vocoded in windows that must join without a seam:
`SourceTrack` adds to each frame what its samples need to know of the clause before it, and the served source has
constant phases and noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor, nn

# Of KAN-TTS: amplitude of the sines, standard deviation of the noise on voiced speech, bounds of f0 and voicing.
AMPLITUDE = 0.1
BREATH = 0.003
LOWEST_F0 = 30.0
VOICED_FROM = 0.6

# Frames after which the served noise repeats.
NOISE_FRAMES = 256

# A track's phase is in this many cycles. A float32 is as exact in any unit; but a stage's graph and its module differ
# in the phase by what their f0 differs in, added up over the clause, and by a whole cycle where one of them wraps
# earlier. In this unit that is below the absolute error allowed.
PHASE_UNIT = 2.0**14

# f0 in steps of 2⁻²⁰ Hz is a whole number for every float32 from 8 Hz on, so that cycles add up without rounding.
_STEPS_PER_HZ = 1 << 20


@dataclass(frozen=True)
class F0Scale:
    """f0 in Hz is `factor` times the acoustic model's value plus `offset`; the default is for values in Hz."""

    factor: float = 1.0
    offset: float = 0.0

    def voicing(self, pitch: Tensor) -> tuple[Tensor, Tensor]:
        """The acoustic model's f0 and voicing [..., 2] → f0 in Hz and 1 where voiced, else 0, both [...]."""
        f0 = (pitch[..., 0] * self.factor + self.offset).clamp(min=LOWEST_F0)
        return f0, (pitch[..., 1] >= VOICED_FROM).to(pitch.dtype)


class SourceTrack(nn.Module):
    """Appends the source's track to a mel spectrogram whose last two bands are f0 and voicing."""

    def __init__(self, scale: F0Scale, sample_rate: int, hop_length: int) -> None:
        super().__init__()
        self.scale = scale
        self.hop_length = hop_length
        self.steps_per_cycle = sample_rate * _STEPS_PER_HZ

    def forward(self, mel: Tensor) -> Tensor:
        """mel [B, M, bands + 2] → [B, M, bands + 4]: the same, phase, frame number.

        The phase is the fundamental's at the start of the frame, modulo 1, in units of `PHASE_UNIT` cycles; the frame
        number is modulo `NOISE_FRAMES`.
        """
        f0, _ = self.scale.voicing(mel[..., -2:])
        steps = (f0 * _STEPS_PER_HZ).round().long() * self.hop_length
        steps = (steps.cumsum(1) - steps) % self.steps_per_cycle
        phase = steps.to(mel.dtype) / (self.steps_per_cycle * PHASE_UNIT)
        number = torch.arange(mel.shape[1], device=mel.device) % NOISE_FRAMES
        return torch.cat([mel, phase.unsqueeze(2), number.to(mel.dtype).expand_as(phase).unsqueeze(2)], dim=2)


class HarmonicSource(nn.Module):
    """f0, voicing and phase of each frame → excitation."""

    steps: Tensor
    multiples: Tensor

    def __init__(self, harmonics: int, sample_rate: int, hop_length: int) -> None:
        super().__init__()
        self.hop_length = hop_length
        self.mixture = nn.Conv1d(harmonics, 1, 1)
        self.sample_rate = sample_rate
        # Upstream advances the phase before it takes the sine.
        self.register_buffer("steps", torch.arange(1.0, hop_length + 1), persistent=False)
        self.register_buffer("multiples", torch.arange(1.0, harmonics + 1), persistent=False)

    def hiss(self, noise: Tensor) -> Tensor:
        """Standard normal noise of each sine [B, M, harmonics, hop_length] → mixed [B, M·hop_length]."""
        return torch.einsum("bmhn,h->bmn", noise, self.mixture.weight[0, :, 0]).flatten(1)

    def forward(self, f0: Tensor, voiced: Tensor, phase: Tensor, phases: Tensor, hiss: Tensor) -> Tensor:
        """Excitation [B, M·hop_length].

        f0 in Hz, voiced (0 or 1) and phase (of the fundamental at the start of the frame, in cycles) [B, M]; phases
        of the sines at the clause's start, in radians [B, harmonics]; hiss, mixed noise [B, M·hop_length].
        """
        cycles = phase.unsqueeze(2) + f0.unsqueeze(2) * self.steps / self.sample_rate
        cycles = (cycles - cycles.floor()).flatten(1)
        angles = 2 * pi * cycles.unsqueeze(2) * self.multiples + phases.unsqueeze(1)
        sines = AMPLITUDE * (angles.sin() @ self.mixture.weight[0, :, 0])
        voiced = voiced.repeat_interleave(self.hop_length, dim=1)
        excitation = voiced * (sines + BREATH * hiss) + (1 - voiced) * (AMPLITUDE / 3 * hiss)
        assert self.mixture.bias is not None
        return torch.tanh(excitation + self.mixture.bias)


class ExplicitSource(nn.Module):
    """A vocoder whose source's phases and noise are inputs, to compare it with what upstream drew at random."""

    def __init__(self, generator: nn.Module, source: HarmonicSource, scale: F0Scale) -> None:
        super().__init__()
        self.generator, self.source, self.scale = generator, source, scale

    def forward(self, mel: Tensor, phases: Tensor, noise: Tensor) -> Tensor:
        """mel with its track [B, M, bands + 4] → audio [B, M·hop_length]; see `HarmonicSource` for the rest.

        phases [B, harmonics] in radians, noise [B, M, harmonics, hop_length] of a standard normal distribution.
        """
        f0, voiced = self.scale.voicing(mel[..., -4:-2])
        excitation = self.source(f0, voiced, mel[..., -2] * PHASE_UNIT, phases, self.source.hiss(noise))
        audio: Tensor = self.generator(mel[..., :-4], excitation)
        return audio


class ConstantSource(nn.Module):
    """A vocoder whose source's phases and noise are constants: a frame's samples do not depend on its window."""

    phases: Tensor
    hiss: Tensor

    def __init__(self, generator: nn.Module, source: HarmonicSource, scale: F0Scale) -> None:
        super().__init__()
        self.generator, self.source, self.scale = generator, source, scale
        harmonics = source.mixture.in_channels
        draws = torch.Generator().manual_seed(0)
        phases = (2 * torch.rand(1, harmonics, generator=draws) - 1) * pi
        phases[:, 0] = 0
        noise = torch.randn(1, NOISE_FRAMES, harmonics, source.hop_length, generator=draws)
        self.register_buffer("phases", phases, persistent=False)
        self.register_buffer("hiss", source.hiss(noise).reshape(NOISE_FRAMES, -1), persistent=False)

    def forward(self, mel: Tensor) -> Tensor:
        """mel with its track [B, M, bands + 4] → audio [B, M·hop_length]."""
        f0, voiced = self.scale.voicing(mel[..., -4:-2])
        hiss = self.hiss[mel[..., -1].long()].flatten(1)
        excitation = self.source(f0, voiced, mel[..., -2] * PHASE_UNIT, self.phases, hiss)
        audio: Tensor = self.generator(mel[..., :-4], excitation)
        return audio
