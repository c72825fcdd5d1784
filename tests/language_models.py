"""Tiny language models for the tests: random weights, real layouts."""

from __future__ import annotations

import tempfile
from functools import cache
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


def tiny(sampler: dict[str, str | float], context: int | None = None) -> LanguageModelPart:
    """A part of random weights, which now and then draws an end."""
    torch.manual_seed(0)
    decoder = Decoder(SIZES)
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    head = torch.nn.Linear(SIZES.width, CODES + 1)
    with torch.no_grad():
        head.bias[CODES:] -= 2.0
    module = LanguageModel(torch.randn(FIRST + CODES + 1, SIZES.width), decoder, head).eval()
    vocabulary = Vocabulary(FIRST, CODES, 1)
    return LanguageModelPart("lm", module, SIZES, vocabulary, sampler, context, (Precision.FP32,))


@cache
def graph() -> bytes:
    """The float32 graph of `tiny`, whatever its sampler."""
    with tempfile.TemporaryDirectory() as folder:
        assert export_stage(tiny(RAS).stage, Path(folder)).largest_error < 1e-5
        return Path(folder, "model.onnx").read_bytes()


def write_model(part: LanguageModelPart, repository: Path, model: str, **parameters: str) -> Path:
    """Write the graph and a config as `model`; `parameters` replace those of the config. Returns its folder."""
    folder = repository / model
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(graph())
    config = part.config(model, PLAIN)
    for name, value in parameters.items():
        config.parameters[name].string_value = value
    (folder / "config.pbtxt").write_text(text_format.MessageToString(config))
    return folder
