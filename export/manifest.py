"""A file beside each exported stage that says what it was made from and how good it is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from export.accuracy import Accuracy
from export.engines.forms import MANIFEST
from export.onnx_export import IR_VERSION, OPSET
from export.specs import Precision, StageSpec
from server.plans import sha256

FILE_NAME = MANIFEST


def checksums(files: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of a checkpoint's files, by their paths inside the folder that holds them all."""
    if not files:
        return {}
    folder = Path(os.path.commonpath([path.absolute().parent for path in files]))
    return {path.absolute().relative_to(folder).as_posix(): sha256(path) for path in files}


def manifest(
    *, family: str, spec: StageSpec, folder: Path, sources: Mapping[str, str], accuracy: Accuracy
) -> dict[str, Any]:
    """What a stage's manifest says; `folder` has its files, `sources` are the checkpoint's and their SHA-256."""
    return {
        "family": family,
        "stage": spec.role,
        "opset": OPSET,
        "ir_version": IR_VERSION,
        "largest_error": _rounded(accuracy.largest_error),
        "tolerance": accuracy.tolerance,
        "files": {name: _file(folder / name, precision, accuracy) for name, precision in spec.files().items()},
        "spec": spec.as_dict(),
        "source_sha256": dict(sources),
        "versions": {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")},
    }


def text(content: Mapping[str, Any]) -> str:
    """A manifest as it is written."""
    return json.dumps(content, indent=1) + "\n"


def _file(path: Path, precision: Precision, accuracy: Accuracy) -> dict[str, Any]:
    """An ONNX file: its precision, its size, and what it loses against the float32 graph."""
    loss = accuracy.losses.get(precision)
    measured = {} if loss is None else {k: _rounded(v) for k, v in asdict(loss).items() if v is not None}
    return {"precision": precision.value, "bytes": path.stat().st_size, "sha256": sha256(path), **measured}


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
