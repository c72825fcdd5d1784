"""Compares the vocoder of a Sambert voice with what KAN-TTS computes."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from export.bundle import Arrays, Stage
from export.errors import CheckpointError
from export.specs import FLOATS, Axis, DType, StageSpec, TensorSpec
from export.verify import Row, both, compare
from export.vocoders.hifigan import HiFiGAN
from export.vocoders.hifigan_served import ServedHiFiGAN
from export.vocoders.nsf import ExplicitSource, F0Scale, SourceTrack
from export.vocoders.vocoder import FRAMES, vocoder_spec

# What torch's generator is seeded with where the references are made.
SEED = 99


class TrackedSource(nn.Module):
    """A vocoder with a source from the mel spectrogram of a whole clause, f0 in Hz, and what upstream drew for it."""

    def __init__(self, generator: HiFiGAN) -> None:
        super().__init__()
        assert generator.source is not None
        self.track = SourceTrack(F0Scale(), generator.config.sample_rate, generator.config.hop_length)
        self.vocoder = ExplicitSource(ServedHiFiGAN(generator), generator.source, F0Scale())

    def forward(self, mel: Tensor, phases: Tensor, noise: Tensor) -> Tensor:
        """mel [B, M, bands + 2]; the rest as `ExplicitSource` takes it → audio [B, M·hop_length]."""
        audio: Tensor = self.vocoder(self.track(mel), phases, noise)
        return audio


def verification_stage(generator: HiFiGAN, role: str) -> Stage:
    """The vocoder as it is served, but a source's phases and noise are inputs."""
    config = generator.config
    if generator.source is None:
        return Stage(vocoder_spec(role, config.bands, config.hop_length), ServedHiFiGAN(generator), _normal)
    spec = StageSpec(
        role=role,
        inputs=(
            TensorSpec("mel", DType.FP32, (FRAMES, config.bands + 2)),
            TensorSpec("phases", DType.FP32, (config.harmonics,)),
            TensorSpec("noise", DType.FP32, (FRAMES, config.harmonics, config.hop_length)),
        ),
        outputs=vocoder_spec(role, config.bands, config.hop_length).outputs,
        precisions=FLOATS,
    )
    return Stage(spec, TrackedSource(generator), _normal)


def _normal(spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator) -> Arrays:
    shapes = {
        tensor.name: (batch, *(lengths[axis.label] if isinstance(axis, Axis) else axis for axis in tensor.axes))
        for tensor in spec.inputs
    }
    return {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def verify_generator(stage: Stage, path: Path, expected: Arrays, tolerance: float) -> list[Row]:
    """Check a `verification_stage` and its graph, alone and in a batch with other items.

    The reference has `voc_in [M, bands]` (of a vocoder with a source f0 in Hz and voicing come last) and
    `wav [1, 1, samples]`. Raises `CheckpointError` where it is of something else.
    """
    if missing := [name for name in ("voc_in", "wav") if name not in expected]:
        raise CheckpointError(f"the reference lacks {', '.join(missing)}: not a sambert reference")
    bands = stage.spec.inputs[0].axes[-1]
    if expected["voc_in"].ndim != 2 or expected["voc_in"].shape[1] != bands or expected["wav"].ndim != 3:
        raise CheckpointError(f"voc_in of the reference is {expected['voc_in'].shape}: the vocoder takes {bands} bands")
    inputs = {"mel": expected["voc_in"][None]} | _drawn(stage.spec, len(expected["voc_in"]))
    wav = expected["wav"][:, 0]
    module, graph = both(stage, path, inputs)
    rows = [compare(stage.spec.role, "wav", (module["audio"], graph["audio"]), wav, tolerance)]
    batch = {name: np.concatenate([value[:, ::-1], value, value / 2]) for name, value in inputs.items()}
    module, graph = both(stage, path, batch)
    rows.append(compare(stage.spec.role, "wav in a batch", (module["audio"][1:2], graph["audio"][1:2]), wav, tolerance))
    return rows


def _drawn(spec: StageSpec, frames: int) -> Arrays:
    """The phases and the noise that upstream drew for an utterance."""
    if len(spec.inputs) == 1:
        return {}
    _, harmonics, hop_length = spec.inputs[2].axes
    assert isinstance(harmonics, int)
    assert isinstance(hop_length, int)
    generator = torch.Generator().manual_seed(SEED)
    phases = (2 * torch.rand(1, harmonics, generator=generator) - 1) * pi
    phases[:, 0] = 0
    noise = torch.randn(1, harmonics, frames, hop_length, generator=generator)
    return {"phases": phases.numpy(), "noise": noise.transpose(1, 2).numpy()}
