"""A file beside each exported stage that says what it was made from and how good it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from export.onnx_export import IR_VERSION, OPSET, Accuracy

FILE_NAME = "manifest.json"


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def checksums(files: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of a checkpoint's files, by their paths inside the folder that holds them all."""
    if not files:
        return {}
    folder = Path(os.path.commonpath([path.absolute().parent for path in files]))
    return {path.absolute().relative_to(folder).as_posix(): sha256(path) for path in files}


def manifest(
    *, family: str, role: str, model: Path, sources: Mapping[str, str], precision: str, accuracy: Accuracy
) -> str:
    """The text of a manifest; `sources` are the checkpoint's files and their SHA-256."""
    measured = {name: float(f"{value:.3g}") for name, value in asdict(accuracy).items() if value is not None}
    content = {
        "family": family,
        "stage": role,
        "precision": precision,
        "opset": OPSET,
        "ir_version": IR_VERSION,
        **measured,
        "model_sha256": sha256(model),
        "source_sha256": dict(sources),
        "versions": {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")},
    }
    return json.dumps(content, indent=1) + "\n"
