"""Tiny language models for the tests: random weights, real layouts."""

from __future__ import annotations

from pathlib import Path

import torch
from google.protobuf import text_format

from export.families.sculptor.language_model import LanguageModelPart, Vocabulary
from export.families.sculptor.transformer import Decoder, DecoderConfig, LanguageModel
from export.onnx_export import export_stage
from export.profile_values import PLAIN
from export.specs import Precision

# 20 texts, start and task, 30 codes and an end.
TEXTS, CODES = 20, 30
FIRST = TEXTS + 2
RAS: dict[str, str | float] = {"sampler": "ras", "top_p": 0.8, "top_k": 25, "window": 10, "tau": 0.1}
NUCLEUS: dict[str, str | float] = {
    "sampler": "nucleus",
    "temperature": 0.9,
    "top_k": 15,
    "top_p": 0.95,
    "repetition_penalty": 1.05,
}
SIZES = DecoderConfig(
    vocabulary=TEXTS,
    width=16,
    layers=2,
    heads=4,
    key_heads=2,
    head_size=4,
    units=24,
    epsilon=1e-6,
    theta=10000.0,
    context=400,
    biased=True,
)


def tiny(
    sampler: dict[str, str | float], seed: int = 0, end_bias: float = 0.0, context: int | None = None
) -> LanguageModelPart:
    """A part of random weights; `end_bias` is added to the end's logit, so that it stops at once or never."""
    torch.manual_seed(seed)
    decoder = Decoder(SIZES)
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    head = torch.nn.Linear(SIZES.width, CODES + 1)
    with torch.no_grad():
        head.bias[CODES:] += end_bias
    module = LanguageModel(torch.randn(FIRST + CODES + 1, SIZES.width), decoder, head).eval()
    vocabulary = Vocabulary(FIRST, CODES, 1)
    return LanguageModelPart("lm", module, SIZES, vocabulary, sampler, context, (Precision.FP32,))


def write_model(part: LanguageModelPart, repository: Path, model: str, **parameters: str) -> Path:
    """Export a part and its config as `model`; `parameters` replace those of the config. Returns its folder."""
    folder = repository / model
    export_stage(part.stage, folder / "1")
    config = part.config(model, PLAIN)
    for name, value in parameters.items():
        config.parameters[name].string_value = value
    (folder / "config.pbtxt").write_text(text_format.MessageToString(config))
    return folder
