"""What the style model of a designed voice takes and gives: an instruction → what prompts its language model."""

from __future__ import annotations

from export.specs import Axis, DType, TensorSpec

# Instructions that one call of the style model may hold; they are designed side by side.
DESIGNS = 8

_TOKENS = Axis("speech_tokens", 1, 250, 1000)
_UNITS = Axis("prompt_units", 1, 40, 200)

DESIGN = (
    TensorSpec("instruction", DType.STRING, (1,)),
    # A JSON object, its keys sorted: answers are cached by the bytes that are asked for.
    TensorSpec("attributes", DType.STRING, (1,)),
    TensorSpec("seed", DType.INT32, (1,)),
)
BUNDLE = (
    TensorSpec("speech_tokens", DType.INT32, (_TOKENS,)),
    TensorSpec("prompt_mel", DType.FP32, (_TOKENS.scaled("prompt_frames", 2), 80)),
    TensorSpec("xvector", DType.FP32, (192,)),
    TensorSpec("prompt_text", DType.INT32, (_UNITS,)),
    # Empty, or why there is no bundle, as JSON: an error that passes from model to model loses its code.
    TensorSpec("problem", DType.STRING, (1,)),
)
