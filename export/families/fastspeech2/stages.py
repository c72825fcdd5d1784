"""The stages of a FastSpeech2 voice: their specifications and sample inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial

import numpy as np

from export.bundle import Arrays, Form, Quantization, Stage
from export.families.fastspeech2 import calibration
from export.families.fastspeech2.checkpoint import Checkpoint
from export.families.fastspeech2.modules import FastSpeech2Config
from export.specs import FLOATS, Axis, DType, Precision, StageSpec, TensorSpec, Warmup
from export.style.stage import style_spec, style_stage
from export.vocoders.melgan import MelGANConfig
from export.vocoders.melgan_served import ServedMelGAN
from export.vocoders.vocoder import FRAMES, vocoder_spec

UNITS = Axis("units", 16, 64, 128)
FAST = "fastmelgan"
# The middle of the vocoder. Noise from the layers before it is amplified, and noise from those after it is heard as
# hiss in the pauses; docs/benchmarks.md has the figures.
_FAST_LAYERS = ("stacks.0.2.", "stacks.0.3.", "upsamples.1.", "stacks.1.")
# All of the decoder's convolutions, which are nearly all of its arithmetic.
_DECODER_LAYERS = ("layers.", "postnet.")
_WARMUP = {UNITS.label: 48, FRAMES.label: 256}


def sample(spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator) -> Arrays:
    """Random valid inputs of a stage: identifiers in range, lengths that differ between items, the longest one full."""
    units, frames = lengths.get(UNITS.label, 1), lengths.get(FRAMES.label, 1)
    made: Arrays = {}
    for tensor in spec.inputs:
        shape = (batch, *(lengths[a.label] if isinstance(a, Axis) else a for a in tensor.axes))
        if tensor.name == "units":
            made[tensor.name] = generator.integers(1, 200, shape).astype(np.int32)
        elif tensor.name == "alignment":
            made[tensor.name] = np.sort(generator.integers(0, units, shape), axis=1).astype(np.int32)
        elif tensor.name.endswith("lengths"):
            full = units if tensor.name == "unit_lengths" else frames
            values = generator.integers(1, full + 1, shape).astype(np.int32)
            values[0] = full
            made[tensor.name] = values
        else:
            made[tensor.name] = generator.standard_normal(shape).astype(np.float32)
    return made


def encoder_spec(config: FastSpeech2Config) -> StageSpec:
    """Units to hidden states and durations."""
    return StageSpec(
        role="encoder",
        inputs=(
            TensorSpec("units", DType.INT32, (UNITS, 1)),
            TensorSpec("unit_lengths", DType.INT32, (1,)),
            TensorSpec("pitch", DType.FP32, (1,)),
            TensorSpec("contour", DType.FP32, (1,)),
        ),
        outputs=(
            TensorSpec("hidden", DType.FP32, (UNITS, config.hidden)),
            TensorSpec("durations", DType.FP32, (UNITS,)),
            TensorSpec("f0_contour", DType.FP32, (UNITS,)),
            TensorSpec("energy_contour", DType.FP32, (UNITS,)),
        ),
        precisions=FLOATS,
        warmups=(Warmup(1, _WARMUP),),
    )


def decoder_spec(config: FastSpeech2Config) -> StageSpec:
    """Hidden states and an alignment to a mel spectrogram."""
    return StageSpec(
        role="decoder",
        inputs=(
            TensorSpec("hidden", DType.FP32, (UNITS, config.hidden)),
            TensorSpec("alignment", DType.INT32, (FRAMES,)),
            TensorSpec("frame_lengths", DType.INT32, (1,)),
        ),
        outputs=(TensorSpec("mel", DType.FP32, (FRAMES, config.bands)),),
        precisions=(*FLOATS, Precision.INT8),
        warmups=(Warmup(1, _WARMUP),),
    )


def melgan_spec(config: MelGANConfig, role: str = "melgan", precisions: tuple[Precision, ...] = FLOATS) -> StageSpec:
    """Mel spectrogram to waveform."""
    return vocoder_spec(role, config.bands, config.hop_length, precisions, bfloat16=True)


def specs(acoustic: FastSpeech2Config, vocoder: MelGANConfig) -> tuple[StageSpec, ...]:
    """Every stage's specification, in the order in which they are needed."""
    return (
        style_spec(),
        encoder_spec(acoustic),
        decoder_spec(acoustic),
        melgan_spec(vocoder),
        melgan_spec(vocoder, FAST, (Precision.INT8,)),
    )


def load_stages(checkpoint: Checkpoint) -> tuple[Stage, ...]:
    """The stages of a loaded checkpoint, in the order of `specs`. Raises `CheckpointError`."""
    encoder = Stage(encoder_spec(checkpoint.config), checkpoint.encoder, sample)
    decoder = Stage(decoder_spec(checkpoint.config), checkpoint.decoder, sample)
    vocoder = Stage(melgan_spec(checkpoint.vocoder_config), ServedMelGAN(checkpoint.vocoder), sample)
    spoken = cache(partial(calibration.spoken, (encoder, decoder, vocoder), checkpoint.symbols))

    def alignments() -> list[Arrays]:
        return [one[decoder.spec.role] for one in spoken()]

    def mels() -> list[Arrays]:
        return calibration.equally_long([one[vocoder.spec.role] for one in spoken()])

    fast = melgan_spec(checkpoint.vocoder_config, FAST, (Precision.INT8,))
    return (
        style_stage(),
        encoder,
        replace(decoder, quantization=Quantization(_DECODER_LAYERS, alignments, least_snr=25.0)),
        vocoder,
        Stage(fast, vocoder.module, sample, Quantization(_FAST_LAYERS, mels, 15.0, Form.CONVOLUTIONS)),
    )
