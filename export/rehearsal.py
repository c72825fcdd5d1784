"""What a voice's stages get from each other: random hidden states and spectrograms are not what speech is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from export.bundle import Arrays, Stage
from export.inference import in_double
from export.specs import Axis, StageKind


def sentence(units: npt.NDArray[np.int32]) -> Arrays:
    """An encoder's inputs for one sentence, spoken without controls; units [T, features]."""
    return {
        "units": units[None],
        "unit_lengths": np.array([[len(units)]], dtype=np.int32),
        "pitch": np.zeros((1, 1), dtype=np.float32),
        "contour": np.ones((1, 1), dtype=np.float32),
    }


def rehearse(stages: Sequence[Stage], units: Arrays | None = None) -> dict[str, Arrays]:
    """Inputs of encoder, decoder and vocoders, by their roles, when the voice speaks.

    `units` are the encoder's inputs, or else drawn at random. Nothing where the stages are not a voice's.
    """
    kinds = {stage.spec.kind: stage for stage in stages}
    encoder, decoder = kinds.get(StageKind.ENCODER), kinds.get(StageKind.DECODER)
    if encoder is None or decoder is None or "units" not in {tensor.name for tensor in encoder.spec.inputs}:
        return {}
    if units is None:
        units = encoder.sample(1, {axis.label: axis.optimum for axis in encoder.spec.axes()}, np.random.default_rng(3))
    frames = _frames(in_double(encoder, units), decoder)
    mel = in_double(decoder, frames)["mel"].astype(np.float32)
    vocoders = [stage.spec.role for stage in stages if stage.spec.kind is StageKind.VOCODER]
    return {encoder.spec.role: units, decoder.spec.role: frames} | {role: {"mel": mel} for role in vocoders}


def _frames(encoded: Arrays, decoder: Stage) -> Arrays:
    """The decoder's inputs; every unit has a frame at least."""
    (axis,) = (tensor.axes[0] for tensor in decoder.spec.inputs if tensor.name == "alignment")
    assert isinstance(axis, Axis)
    counts = np.maximum(np.rint(encoded["durations"][0]), 1).astype(np.int64)
    alignment = np.repeat(np.arange(counts.size, dtype=np.int32), counts)[: axis.maximum]
    padded = max(axis.minimum, -(-alignment.size // axis.step) * axis.step)
    return {
        "hidden": encoded["hidden"].astype(np.float32),
        "alignment": np.pad(alignment, (0, padded - alignment.size), mode="edge")[None],
        "frame_lengths": np.array([[alignment.size]], dtype=np.int32),
    }
