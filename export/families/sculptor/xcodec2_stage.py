"""The decoder of xcodec2 as a stage."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from export.bundle import Arrays, Stage
from export.families.sculptor.xcodec2_decoder import Xcodec2
from export.specs import FLOATS, Axis, DType, StageSpec, TensorSpec, Warmup

XCODEC2 = "xcodec2"
# 50 codes are a second; the most is what LLaSA is asked for.
CODES = Axis("codes", 16, 256, 2048)
_WARMUP = 256
# Attention needs memory with the square of the codes.
_MAX_BATCH = 8


def xcodec2_spec(hop_length: int) -> StageSpec:
    """Codes to audio; negative codes are padding at the end."""
    return StageSpec(
        role=XCODEC2,
        inputs=(TensorSpec("codes", DType.INT32, (CODES,)),),
        outputs=(TensorSpec("audio", DType.FP32, (CODES.scaled("samples", hop_length),)),),
        max_batch_size=_MAX_BATCH,
        precisions=FLOATS,
        warmups=(Warmup(1, {CODES.label: _WARMUP}),),
    )


def xcodec2_stage(decoder: Xcodec2) -> Stage:
    """The stage that serves a decoder."""
    return Stage(xcodec2_spec(decoder.config.hop_length), decoder, partial(random_codes, decoder.codes))


def random_codes(
    count: int, spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator
) -> Arrays:
    """Codes below `count`; the first row is padded at its end."""
    steps = lengths[CODES.label]
    codes = generator.integers(0, count, (batch, steps), dtype=np.int32)
    codes[0, steps - steps // 8 :] = -1
    return {spec.inputs[0].name: codes}
