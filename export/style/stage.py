"""The style stage for the exporter, and instructions as it takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from export.bundle import Arrays, Stage
from export.specs import Axis, DType, StageSpec, TensorSpec, Warmup
from export.style import weights
from export.style.attributes import ATTRIBUTES
from export.style.lexicon import normalised

ROLE = "style"
_SAMPLE = "语速音调量声起伏很极稍不要太快慢高低大小轻平,。温柔激动老师的说得一点"
BUCKET = 32
CHARACTERS = Axis("characters", BUCKET, 2 * BUCKET, 512)


def style_spec() -> StageSpec:
    """Code points to a style. Equal instructions are common, so they are answered from the response cache."""
    four = len(ATTRIBUTES)
    return StageSpec(
        role=ROLE,
        inputs=(TensorSpec("instruction", DType.INT32, (CHARACTERS,)),),
        outputs=tuple(TensorSpec(name, DType.FP32, (four,)) for name in ("style", "certainty", "conflict")),
        cached=True,
        warmups=(Warmup(1, {CHARACTERS.label: CHARACTERS.optimum}),),
    )


def sample(spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator) -> Arrays:
    """Random instructions of characters that matter, the first one full, the others padded."""
    length = lengths[CHARACTERS.label]
    made = generator.choice([ord(character) for character in _SAMPLE], (batch, length))
    ends = generator.integers(1, length + 1, (batch, 1))
    ends[0] = length
    return {spec.inputs[0].name: np.where(np.arange(length) < ends, made, 0).astype(np.int32)}


def style_stage() -> Stage:
    """The stage with its trained weights. Raises `CheckpointError`."""
    return Stage(style_spec(), weights.load(), sample)


def encode(instructions: Sequence[str]) -> npt.NDArray[np.int32]:
    """Instructions → [B, L] code points of their normalised text, zero-padded to a multiple of `BUCKET`.

    Raises `ValueError` for one that is longer than the stage takes.
    """
    texts = [normalised(text) for text in instructions]
    longest = max(len(text) for text in texts)
    if longest > CHARACTERS.maximum:
        raise ValueError(f"an instruction has at most {CHARACTERS.maximum} characters, got {longest}")
    made = np.zeros((len(texts), max(1, -(-longest // BUCKET)) * BUCKET), dtype=np.int32)
    for row, text in enumerate(texts):
        made[row, : len(text)] = [ord(character) for character in text]
    return made
