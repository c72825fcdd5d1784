"""The encoder and decoder stages of a SAM-BERT voice: their specifications and sample inputs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

from export.bundle import Arrays, Sampler, Stage
from export.families.sambert.config import SambertConfig
from export.families.sambert.decoder import Decoder
from export.families.sambert.encoder import Encoder
from export.specs import FLOATS, Axis, DType, StageSpec, TensorSpec, Warmup

UNITS = Axis("units", 16, 64, 128)
_FEATURES = 7
# In steps of the decoder: a bucket, a clause of the usual length, and one of 100 units at half speed.
_STEPS = (16, 128, 640)
_WARMUP_STEPS = 96


def frames(config: SambertConfig) -> Axis:
    """The axis of a voice's mel frames, which come in whole steps of its decoder."""
    per_step = config.outputs_per_step
    shortest, usual, longest = (steps * per_step for steps in _STEPS)
    return Axis("frames", shortest, usual, longest, per_step)


def encoder_spec(config: SambertConfig) -> StageSpec:
    """Units to hidden states and durations."""
    return StageSpec(
        role="encoder",
        inputs=(
            TensorSpec("units", DType.INT32, (UNITS, _FEATURES)),
            TensorSpec("unit_lengths", DType.INT32, (1,)),
            TensorSpec("pitch", DType.FP32, (1,)),
            TensorSpec("contour", DType.FP32, (1,)),
        ),
        outputs=(
            TensorSpec("hidden", DType.FP32, (UNITS, config.condition_units + 1)),
            TensorSpec("durations", DType.FP32, (UNITS,)),
            TensorSpec("f0_contour", DType.FP32, (UNITS,)),
            TensorSpec("energy_contour", DType.FP32, (UNITS,)),
        ),
        precisions=FLOATS,
        warmups=(Warmup(1, {UNITS.label: 48}),),
    )


def decoder_spec(config: SambertConfig) -> StageSpec:
    """Hidden states and an alignment to a mel spectrogram."""
    axis = frames(config)
    return StageSpec(
        role="decoder",
        inputs=(
            TensorSpec("hidden", DType.FP32, (UNITS, config.condition_units + 1)),
            TensorSpec("alignment", DType.INT32, (axis,)),
            TensorSpec("frame_lengths", DType.INT32, (1,)),
        ),
        outputs=(TensorSpec("mel", DType.FP32, (axis, config.bands)),),
        precisions=FLOATS,
        warmups=(Warmup(1, {UNITS.label: 48, axis.label: _WARMUP_STEPS * axis.step}),),
    )


def encoder_stage(encoder: Encoder) -> Stage:
    """The stage of an encoder."""
    return Stage(encoder_spec(encoder.model.config), encoder, sampler(encoder.model.config))


def decoder_stage(decoder: Decoder) -> Stage:
    """The stage of a decoder; what a vocoder needs besides the mel is not in it."""
    return Stage(decoder_spec(decoder.config), decoder, sampler(decoder.config))


def sampler(config: SambertConfig) -> Sampler:
    """What makes random valid inputs of both stages: lengths differ between items, the first one is full."""
    return partial(_sample, config)


def _sample(
    config: SambertConfig, spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator
) -> Arrays:
    units = lengths[UNITS.label]
    if spec.kind.value == "encoder":
        return {
            "units": _units(config, (batch, units), generator),
            "unit_lengths": _lengths(batch, units, generator),
            "pitch": generator.uniform(-4, 4, (batch, 1)).astype(np.float32),
            "contour": generator.uniform(0, 2, (batch, 1)).astype(np.float32),
        }
    count = lengths["frames"]
    frame_lengths = _lengths(batch, count, generator)
    alignment = np.sort(generator.integers(0, units, (batch, count)), axis=1).astype(np.int32)
    last = np.minimum(np.arange(count), frame_lengths - 1)
    hidden = generator.standard_normal((batch, units, config.condition_units + 1)).astype(np.float32)
    hidden[..., -1] = generator.uniform(0, 12, (batch, units))
    return {
        "hidden": hidden,
        "alignment": np.take_along_axis(alignment, last, axis=1),
        "frame_lengths": frame_lengths,
    }


def _units(config: SambertConfig, shape: tuple[int, int], generator: np.random.Generator) -> npt.NDArray[np.int32]:
    # A voice of one speaker has a feature for it all the same, and the last one is the intensity.
    sizes = [*config.vocabularies.values(), *(1,) * (_FEATURES - 1 - len(config.vocabularies)), 101]
    units: npt.NDArray[np.int32] = np.stack([generator.integers(0, size, shape) for size in sizes], axis=-1).astype(
        np.int32
    )
    return units


def _lengths(batch: int, full: int, generator: np.random.Generator) -> npt.NDArray[np.int32]:
    lengths = generator.integers(1, full + 1, (batch, 1)).astype(np.int32)
    lengths[0] = full
    return lengths
