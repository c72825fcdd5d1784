"""What is known of a stage's TensorRT plan: the `plan.json` beside it, which is written with it and checked at a start.

A plan runs on the TensorRT version and the GPU it was built with and on no others, and it computes what its ONNX file
did when it was built.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from server.errors import ServerError

# Of the names of the configs by which stages are served from their plans: h100_tensorrt beside h100.
SUFFIX = "_tensorrt"
PLAN_NAME = "model.plan"
FILE_NAME = "plan.json"

# For each input its smallest, best and largest shape ("min", "opt", "max"), the batch first.
Shapes = Mapping[str, Mapping[str, tuple[int, ...]]]


class PlanError(ServerError):
    """A `plan.json` cannot be read."""


@dataclass(frozen=True)
class Contents:
    """A file's name, its SHA-256 and its size in bytes."""

    name: str
    sha256: str
    size: int

    @classmethod
    def of(cls, path: Path) -> Contents:
        """Read a file. Raises OSError."""
        return cls(path.name, sha256(path), path.stat().st_size)


@dataclass(frozen=True)
class Plan:
    """A plan, what it was built of, by what and for what; `gpu_memory` in bytes, `shapes` for each TensorRT profile.

    `profile` is the hardware profile whose batches it is for.
    """

    tensorrt: str
    gpu: str
    compute_capability: str
    gpu_memory: int
    driver: str
    profile: str
    precision: str
    onnx: Contents
    plan: Contents
    shapes: tuple[Shapes, ...]
    build_seconds: float

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read a `plan.json`. Raises `PlanError`."""
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            onnx, plan = (Contents(**content[name]) for name in ("onnx", "plan"))
            made = cls(**{**content, "onnx": onnx, "plan": plan})
            compared = (made.tensorrt, made.gpu, made.compute_capability, made.profile)
            if not all(isinstance(text, str) for text in (*compared, onnx.name, onnx.sha256, plan.name, plan.sha256)):
                raise TypeError("not a text")
            return made
        except OSError as error:
            raise PlanError(f"{path} cannot be read: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError):
            raise PlanError(f"{path} does not describe a plan") from None

    def text(self) -> str:
        """The text of a `plan.json`."""
        return json.dumps(asdict(self), indent=1) + "\n"


def sha256(path: Path) -> str:
    """Hex digest of a file. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
