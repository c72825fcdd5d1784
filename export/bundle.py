"""What a family hands to the exporter: a voice with everything that makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from export.specs import StageSpec
from export.voice import Symbols, Voice

Arrays = dict[str, npt.NDArray[Any]]
# (specification, batch, length of each dynamic axis, generator) → valid inputs, a different value in each
Sampler = Callable[[StageSpec, int, Mapping[str, int], np.random.Generator], Arrays]


@dataclass(frozen=True)
class Quantization:
    """Which layers of a stage to compute in int8.

    `layers` are prefixes of the names of convolution weights. `inputs` makes real inputs of the stage, of equal shapes:
    the last one judges, the others calibrate. The signal-to-noise ratio against the float graph must be `least_snr` dB.
    """

    layers: tuple[str, ...]
    inputs: Callable[[], Sequence[Arrays]]
    least_snr: float


@dataclass(frozen=True)
class Stage:
    """A stage specification, the module that computes it, what makes inputs for it, and what of it is in int8."""

    spec: StageSpec
    module: nn.Module
    sampler: Sampler
    quantization: Quantization | None = None

    def sample(self, batch: int, lengths: Mapping[str, int], generator: np.random.Generator) -> Arrays:
        """Random valid inputs."""
        return self.sampler(self.spec, batch, lengths, generator)


@dataclass(frozen=True)
class Bundle:
    """A loaded voice: its description, its stages in the order a clause passes them, its symbols, its source files."""

    voice: Voice
    stages: tuple[Stage, ...]
    symbols: Symbols
    sources: tuple[Path, ...]


@dataclass(frozen=True)
class Choice:
    """What of a checkpoint becomes a voice: one of the voices in its folder, and the emotions that it is to offer."""

    voice: str | None = None
    emotions: tuple[str, ...] | None = None
