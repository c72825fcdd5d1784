"""A vocoder as a checkpoint's loader hands it over, and the stage that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from export.bundle import Arrays, Sampler, Stage
from export.mel import MelFormat
from export.specs import FLOATS, Axis, DType, Precision, StageSpec, TensorSpec, Warmup

# The longest clause of the demo voice has 608 frames at natural speed, twice that at half speed.
FRAMES = Axis("frames", 64, 384, 1280)
_WARMUP_FRAMES = 256


def normal_mel(spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator) -> Arrays:
    """Mel spectrograms of a standard normal distribution."""
    (mel,) = spec.inputs
    shape = (batch, *(lengths[axis.label] if isinstance(axis, Axis) else axis for axis in mel.axes))
    return {mel.name: generator.standard_normal(shape).astype(np.float32)}


@dataclass(frozen=True)
class Vocoder:
    """Mel spectrogram to waveform.

    `module` maps mel [B, M, `channels`] to audio [B, M·`hop_length`] in -1…1, in the form that is served.
    `architecture` ("hifigan", "melgan" or "mbmelgan") names its stage. A sample depends on `lead` frames before its own
    and `tail` frames after it, at least one each. `sources` are the files it was read from.
    """

    architecture: str
    module: nn.Module
    mel: MelFormat
    channels: int
    hop_length: int
    lead: int
    tail: int
    sources: tuple[Path, ...]
    sampler: Sampler = normal_mel


def vocoder_spec(
    role: str,
    channels: int,
    hop_length: int,
    precisions: tuple[Precision, ...] = FLOATS,
    frames: Axis = FRAMES,
    *,
    bfloat16: bool = False,
) -> StageSpec:
    """What a vocoder's stage takes and gives."""
    return StageSpec(
        role=role,
        precisions=precisions,
        bfloat16=bfloat16,
        inputs=(TensorSpec("mel", DType.FP32, (frames, channels)),),
        outputs=(TensorSpec("audio", DType.FP32, (frames.scaled("samples", hop_length),)),),
        warmups=(Warmup(1, {frames.label: _WARMUP_FRAMES}),),
    )


def vocoder_stage(
    vocoder: Vocoder, role: str, precisions: tuple[Precision, ...] = FLOATS, frames: Axis = FRAMES
) -> Stage:
    """The stage that serves a vocoder."""
    # Not with channels beyond the bands: they are the phases of a source.
    plain = vocoder.channels == vocoder.mel.bands
    spec = vocoder_spec(role, vocoder.channels, vocoder.hop_length, precisions, frames, bfloat16=plain)
    return Stage(spec, vocoder.module, vocoder.sampler)
