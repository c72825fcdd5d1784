"""What a family hands to the exporter: a voice with everything that makes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import nn
from tritonclient.grpc import model_config_pb2 as pb

from export.change import Change
from export.errors import CheckpointError, ExportError, listed
from export.profiles import Profile
from export.specs import Precision, StageSpec
from export.voice import Symbols, Voice

Arrays = dict[str, npt.NDArray[Any]]
# (specification, batch, length of each dynamic axis, generator) → valid inputs, a different value in each
Sampler = Callable[[StageSpec, int, Mapping[str, int], np.random.Generator], Arrays]


class Form(Enum):
    """What a layer in int8 gives.

    `PRODUCTS` give floats: more exact, and faster where a layer has hundreds of channels. `CONVOLUTIONS` give int8:
    faster where channels are few and time is long, so that what is read and written decides.
    """

    PRODUCTS = "products"
    CONVOLUTIONS = "convolutions"


@dataclass(frozen=True)
class Quantization:
    """Which layers of a stage to compute in int8.

    `layers` are prefixes of the names of their weights. `inputs` makes real inputs of the stage (of equal shapes for
    convolutions): the last one judges, the others calibrate. The signal-to-noise ratio against the float graph must be
    `least_snr` dB.
    """

    layers: tuple[str, ...]
    inputs: Callable[[], Sequence[Arrays]]
    least_snr: float
    form: Form = Form.PRODUCTS


@dataclass(frozen=True)
class Stage:
    """A stage specification, the module that computes it, what makes inputs for it, and what of it is in int8.

    A stage with a `quantization` can be had in int8 even where its specification does not name that.
    """

    spec: StageSpec
    module: nn.Module
    sampler: Sampler
    quantization: Quantization | None = None

    def sample(self, batch: int, lengths: Mapping[str, int], generator: np.random.Generator) -> Arrays:
        """Random valid inputs."""
        return self.sampler(self.spec, batch, lengths, generator)

    @property
    def possible(self) -> tuple[Precision, ...]:
        """Every precision that it can be had in."""
        named = self.spec.precisions
        return named if self.quantization is None or Precision.INT8 in named else (*named, Precision.INT8)

    def only(self, precisions: Collection[Precision]) -> Stage:
        """The stage without files but the first and those of `precisions`."""
        first, *others = self.possible
        kept = (first, *(precision for precision in others if precision in precisions))
        return replace(self, spec=replace(self.spec, precisions=kept))


class Part(Protocol):
    """A model of a voice that is served in a way of its own, and not as one run of one graph."""

    @property
    def role(self) -> str:
        """The suffix of the model's name."""

    @property
    def possible(self) -> tuple[Precision, ...]:
        """Every precision that it can be had in."""

    def only(self, precisions: Collection[Precision]) -> Part:
        """The part without files but the first and those of `precisions`."""

    def put(self, change: Change, model: str, report: Callable[[str], None]) -> None:
        """Write what `model` serves into the folder `1` of its folder in a change. Raises `ExportError`."""

    def config(self, model: str, profile: Profile) -> pb.ModelConfig:
        """Its config in a profile."""


@dataclass(frozen=True)
class Bundle:
    """A loaded voice: its description, its stages in the order a clause passes them, its symbols, its source files.

    `parts` are the models of the voice that are no stages, `files` the texts that stand beside its `voice.json`.
    """

    voice: Voice
    stages: tuple[Stage, ...]
    symbols: Symbols
    sources: tuple[Path, ...]
    parts: tuple[Part, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def only(self, precisions: Collection[Precision]) -> Bundle:
        """The voice whose models have no files but the first and those of `precisions`.

        Raises `ExportError` for a precision that none of them has.
        """
        parts = tuple(part.only(precisions) for part in self.parts)
        others = {precision for part in self.parts for precision in part.possible}
        return replace(self, stages=narrowed(self.stages, precisions, others), parts=parts)


def narrowed(
    stages: Sequence[Stage], precisions: Collection[Precision], others: Collection[Precision] = ()
) -> tuple[Stage, ...]:
    """The stages without files but the first of each and those of `precisions`.

    Raises `ExportError` for a precision that none of them has, and that is not among those of `others` either.
    """
    known = {precision for stage in stages for precision in stage.possible}.union(others)
    if missing := [precision.value for precision in precisions if precision not in known]:
        raise ExportError(f"nothing of this can be had in {missing[0]}: leave out --precision {missing[0]}")
    return tuple(stage.only(precisions) for stage in stages)


@dataclass(frozen=True)
class Choice:
    """What of a checkpoint becomes a voice: one of the voices in its folder, and the emotions that it is to offer."""

    voice: str | None = None
    emotions: tuple[str, ...] | None = None

    def offered(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """The emotions of a voice that knows these, the default one first: those chosen, or else all.

        Raises `CheckpointError` for one that it does not know.
        """
        if self.emotions is None:
            return known
        if unknown := [name for name in self.emotions if name not in known]:
            raise CheckpointError(
                f"the voice knows no emotion {listed(unknown, 60)}: it must be of {listed(known, 200)}"
            )
        if not self.emotions:
            raise CheckpointError("--emotions names none: leave it out, or name those that the voice is to offer")
        return tuple(dict.fromkeys(self.emotions))
