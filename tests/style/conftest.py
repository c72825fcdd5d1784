"""The style stage as it is served: the exported graph, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from style_helpers import Reading

from export.style.attributes import ATTRIBUTES
from export.style.stage import encode

Run = Callable[[np.ndarray], list[np.ndarray]]


@pytest.fixture(scope="session")
def graph(repository: Path) -> Run:
    """Code points [B, L] → style, certainty and conflict, [B, 4] each."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = repository / "demo_style" / "1" / "model.onnx"
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda instruction: session.run(["style", "certainty", "conflict"], {"instruction": instruction})


@pytest.fixture(scope="session")
def read(graph: Run) -> Callable[[str], Reading]:
    """What the stage says of an instruction."""

    def reading(instruction: str) -> Reading:
        rows = [dict(zip(ATTRIBUTES, map(float, row[0]), strict=True)) for row in graph(encode([instruction]))]
        return Reading(*rows)

    return reading
