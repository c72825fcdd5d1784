"""A language model of speech codes as a part of a voice: its graph, and what the backend has to know of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tritonclient.grpc import model_config_pb2 as pb

from export.bundle import Arrays, Stage
from export.change import Change
from export.configs import declare
from export.families.sculptor.transformer import DecoderConfig, LanguageModel
from export.onnx_export import export_stage
from export.profiles import Profile
from export.specs import FLOATS, WITHOUT_ARENA, Axis, DType, Precision, StageSpec, TensorSpec

BACKEND = "language_model"

# The tensors of the Triton model; see docs/architecture.md.
_ONE = (1,)
_IDS = Axis("prompt", 1, 256, 1 << 20)
_CODES = Axis("codes", 0, 25, 1 << 20)
REQUEST = (
    TensorSpec("key", DType.STRING, _ONE),
    TensorSpec("prompt", DType.INT32, (_IDS,), optional=True),
    *(TensorSpec(name, DType.INT32, _ONE, optional=True) for name in ("seed", "least", "most", "every", "abort")),
)
ANSWER = (TensorSpec("tokens", DType.INT32, (_CODES,)), TensorSpec("end", DType.STRING, _ONE))

# Lengths that the graph is traced and tried with; it takes any. The largest rows are tried in float16, too.
_NEW = Axis("new", 2, 16, 48)
_CAPACITY = Axis("capacity", 2, 32, 96)


@dataclass(frozen=True)
class Vocabulary:
    """Of the input ids, code k is `first_code + k`; of the logits, `codes` are codes and the `ends` after them ends."""

    first_code: int
    codes: int
    ends: int


@dataclass(frozen=True)
class LanguageModelPart:
    """The part `role` of a voice.

    `sampler` are the backend's settings of how a code is drawn. `context` is how many ids a prompt and its codes may
    have together, the model's own where it is None.
    """

    role: str
    module: LanguageModel
    sizes: DecoderConfig
    vocabulary: Vocabulary
    sampler: Mapping[str, str | float]
    context: int | None = None
    precisions: tuple[Precision, ...] = FLOATS

    @property
    def possible(self) -> tuple[Precision, ...]:
        """Every precision that it can be had in."""
        return FLOATS

    def only(self, precisions: Collection[Precision]) -> LanguageModelPart:
        """The part without files but the first and those of `precisions`."""
        first, *others = self.possible
        return replace(self, precisions=(first, *(precision for precision in others if precision in precisions)))

    @property
    def stage(self) -> Stage:
        """Its graph as a stage, for the exporter's checks."""
        sizes = self.sizes
        cache = (sizes.layers, sizes.key_heads)
        keys, new = (*cache, _CAPACITY, sizes.head_size), (*cache, _NEW, sizes.head_size)
        spec = StageSpec(
            role=self.role,
            inputs=(
                TensorSpec("ids", DType.INT32, (_NEW,)),
                TensorSpec("counts", DType.INT32, (1,)),
                TensorSpec("lengths", DType.INT32, (1,)),
                TensorSpec("keys", DType.FP32, keys),
                TensorSpec("values", DType.FP32, keys),
            ),
            outputs=(
                TensorSpec("logits", DType.FP32, (self.vocabulary.codes + self.vocabulary.ends,)),
                TensorSpec("new_keys", DType.FP32, new),
                TensorSpec("new_values", DType.FP32, new),
            ),
            precisions=self.precisions,
        )
        return Stage(spec, self.module, self._sample)

    def put(self, change: Change, model: str, report: Callable[[str], None]) -> None:
        """Write its graphs into a change. Raises `SpecError` where one is not what the module computes."""
        report(f"{model}: {export_stage(self.stage, change.folder / Path(model, '1'))}")

    def config(self, model: str, profile: Profile) -> pb.ModelConfig:
        """One instance, which writes for everybody at once: a second one would hold all the weights again."""
        config = pb.ModelConfig(
            name=model,
            backend=BACKEND,
            max_batch_size=0,
            default_model_filename=self.stage.spec.file_name(profile.precision),
        )
        declare(config, REQUEST, ANSWER)
        config.instance_group.add(kind=pb.ModelInstanceGroup.KIND_AUTO, count=1)
        for name, value in {**profile.session, **WITHOUT_ARENA, **self._settings(profile)}.items():
            config.parameters[name].string_value = value
        return config

    def _settings(self, profile: Profile) -> dict[str, str]:
        sizes, vocabulary = self.sizes, self.vocabulary
        values: dict[str, str | float] = {
            "first_code": vocabulary.first_code,
            "codes": vocabulary.codes,
            "ids": len(self.module.table),
            "layers": sizes.layers,
            "heads": sizes.key_heads,
            "head_size": sizes.head_size,
            "context": self.context or sizes.context,
            "max_rows": profile.language_model.max_batch,
            **self.sampler,
        }
        return {name: str(value) for name, value in values.items()}

    def _sample(
        self, spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator
    ) -> Arrays:
        """Rows of unequal lengths, of which the last one has no cache yet."""
        sizes, new, capacity = self.sizes, lengths[_NEW.label], lengths[_CAPACITY.label]
        cached = generator.integers(0, capacity + 1, (batch, 1), dtype=np.int32)
        cached[-1] = 0
        shape = (batch, sizes.layers, sizes.key_heads, capacity, sizes.head_size)
        return {
            "ids": generator.integers(0, len(self.module.table), (batch, new), dtype=np.int32),
            "counts": generator.integers(1, new + 1, (batch, 1), dtype=np.int32),
            "lengths": cached,
            "keys": generator.standard_normal(shape, dtype=np.float32),
            "values": generator.standard_normal(shape, dtype=np.float32),
        }
