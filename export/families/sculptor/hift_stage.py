"""CosyVoice2's vocoder as a stage of its own, for mel spectrograms with the track of its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from export.bundle import Arrays
from export.errors import CheckpointError
from export.families.sculptor.cosyvoice_config import HiftConfig
from export.families.sculptor.hift import Hift
from export.families.sculptor.hift_served import ServedHift
from export.families.sculptor.hift_source import TRACK, ConstantHiss, HarmonicSource, Track, frames_of
from export.mel import MelFormat
from export.specs import Axis, StageSpec
from export.vocoders.context import context
from export.vocoders.nsf import NOISE_FRAMES
from export.vocoders.vocoder import Vocoder

# The role of its stage.
HIFT = "hift"
# What CosyVoice2 speaks in: the mel spectrogram of Matcha-TTS at 24 kHz, magnitudes from 1e-5 on.
MEL = MelFormat(
    sample_rate=24000,
    hop_length=480,
    bands=80,
    n_fft=1920,
    win_length=1920,
    fmin=0.0,
    fmax=8000.0,
    scale="ln",
    statistics=None,
    normalised=False,
)
# Of the mel that a sample's context is measured on: so quiet that nothing of the output is limited. f0 in its unit.
_QUIET, _VOICED = -5.0, 0.2


class ConstantHift(nn.Module):
    """The vocoder with constant noise: a frame's samples do not depend on its window."""

    def __init__(self, hift: Hift) -> None:
        super().__init__()
        self.generator = ServedHift(hift)
        self.source = HarmonicSource(hift.config, hift.mixture, hift.hop_length)
        self.hiss = ConstantHiss(self.source)

    def forward(self, mel: Tensor) -> Tensor:
        """mel with its track [B, M, bands + 3] → audio [B, M·hop_length].

        The samples of padding (`hift_source.frames_of`) are of no use, and do not change those before them.
        """
        excitation = self.source(mel, self.hiss(mel))
        audio: Tensor = self.generator(mel[..., :-TRACK], frames_of(mel), excitation)
        return audio


def track_of(hift: Hift) -> Track:
    """What the stage that makes the mel spectrogram appends to it."""
    return Track(hift.predictor, hift.config.sample_rate, hift.hop_length)


def hift_vocoder(hift: Hift, sources: tuple[Path, ...] = ()) -> Vocoder:
    """The vocoder that computes what `hift` does, for mel spectrograms with their track; `sources` are its files.

    Raises `CheckpointError` where its frames are not as long as those of the mel spectrogram.
    """
    channels = hift.config.bands + TRACK
    if hift.hop_length != MEL.hop_length:
        raise CheckpointError(
            f"the hift of the config makes {hift.hop_length} samples of a frame, not {MEL.hop_length}: upsample_rates "
            "and hop_len do not fit the mel spectrogram"
        )
    lead, tail = _context(hift.config)
    sampler = partial(tracked_mel, track_of(hift))
    module = ConstantHift(hift).eval()
    return Vocoder(HIFT, module, MEL, channels, hift.hop_length, lead, tail, sources, sampler)


def _context(config: HiftConfig) -> tuple[int, int]:
    """Frames before and after its own that a sample depends on, whatever the weights are."""
    narrow = replace(
        config,
        channels=1 << len(config.upsample_rates),
        f0_channels=1,
        # A limit of the output would hide what a sample depends on.
        limit=float("inf"),
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        probe = Hift(narrow)
    lead, tail = context(ConstantHift(probe), config.bands + TRACK, probe.hop_length, _example)
    # The phase stands still before the middle of a window's first frame, as it does at the start of an utterance.
    return lead + 1, tail


def _example(frames: int, channels: int) -> Tensor:
    mel = torch.full((1, frames, channels), _QUIET)
    mel[..., -3], mel[..., -2], mel[..., -1] = _VOICED, 0.0, torch.arange(frames) % NOISE_FRAMES
    return mel


def tracked_mel(
    track: Track, spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator
) -> Arrays:
    """Mel spectrograms of a standard normal distribution with their track; the first one is padded at its end."""
    (mel,) = spec.inputs
    frames = lengths[next(axis.label for axis in mel.axes if isinstance(axis, Axis))]
    bands = generator.standard_normal((batch, frames, MEL.bands)).astype(np.float32)
    mask = torch.ones(batch, frames)
    mask[0, frames - frames // 8 :] = 0
    with torch.no_grad():
        return {mel.name: track(torch.from_numpy(bands), mask).numpy()}
