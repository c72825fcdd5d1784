"""From a generator as it was trained to the vocoder that is served."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from export.bundle import Arrays, Sampler
from export.errors import CheckpointError
from export.mel import MelFormat
from export.specs import StageSpec
from export.vocoders.context import context
from export.vocoders.hifigan import HiFiGAN
from export.vocoders.hifigan_served import ServedHiFiGAN
from export.vocoders.melgan import MelGAN
from export.vocoders.melgan_served import ServedMelGAN
from export.vocoders.nsf import ConstantSource, F0Scale, SourceTrack
from export.vocoders.vocoder import Vocoder, normal_mel

# Fundamental, voicing, phase and frame number.
_TRACK = 4


def served(
    generator: HiFiGAN | MelGAN, mel: MelFormat, sources: tuple[Path, ...], scale: F0Scale | None = None
) -> Vocoder:
    """The vocoder that computes what `generator` does.

    One with a harmonic source needs the `scale` of its voice's fundamental, and takes four channels after the bands
    (`SourceTrack`). Raises `CheckpointError` where that is missing or the format has other bands than the generator.
    """
    config = generator.config
    if mel.bands != config.bands:
        raise CheckpointError(f"the config says {mel.bands} mel bands, the generator takes {config.bands}")
    architecture, channels = "hifigan", config.bands
    sampler: Sampler = normal_mel
    module: nn.Module
    if isinstance(generator, MelGAN):
        architecture = "melgan" if generator.config.subbands == 1 else "mbmelgan"
        module = ServedMelGAN(generator)
    else:
        module = ServedHiFiGAN(generator)
        if generator.source is not None:
            if scale is None:
                raise CheckpointError("the vocoder has a source (NSF): it needs the mvn.npy of its voice")
            module = ConstantSource(module, generator.source, scale)
            channels += _TRACK
            sampler = partial(_tracked_mel, SourceTrack(scale, generator.config.sample_rate, config.hop_length))
    lead, tail = context(module, channels, config.hop_length)
    return Vocoder(architecture, module, mel, channels, config.hop_length, lead, tail, sources, sampler)


def _tracked_mel(
    track: SourceTrack, spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator
) -> Arrays:
    ((name, mel),) = normal_mel(spec, batch, lengths, generator).items()
    with torch.no_grad():
        return {name: track(torch.from_numpy(mel[..., :-2])).numpy()}
