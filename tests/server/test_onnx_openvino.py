"""OpenVINO in place of ONNX Runtime, where a config asks for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

WANTED = {"optimization": {"execution_accelerators": {"cpu_execution_accelerator": [{"name": "openvino"}]}}}
AVAILABLE = ["CPUExecutionProvider"]
# Of a waveform in bfloat16, in dB: its products have eight bits.
LEAST_SNR = 20.0


REPOSITORY = Path(__file__).resolve().parents[2] / "model_repository"


@pytest.fixture(scope="module")
def vocoder() -> Path:
    return REPOSITORY / "demo_melgan" / "1" / "model.onnx"


@pytest.fixture(scope="module")
def mel() -> Any:
    return np.random.default_rng(0).standard_normal((1, 96, 80)).astype(np.float32)


def test_a_vocoders_samples_are_those_of_onnx_runtime_but_for_rounding(ort: Any, vocoder: Path, mel: Any) -> None:
    (expected,) = onnxruntime.InferenceSession(str(vocoder)).run(None, {"mel": mel})
    session = ort.openvino.Session(vocoder, 1)
    (first,) = session.run(["audio"], {"mel": mel})
    session.run(["audio"], {"mel": mel[:, :32] + 1})
    # What was given out is not overwritten by the next run.
    assert first.shape == expected.shape
    noise = np.square(first - expected).sum()
    assert 10 * np.log10(np.square(expected).sum() / noise) > LEAST_SNR


def test_a_graph_is_described_as_onnx_runtime_does(ort: Any) -> None:
    path = REPOSITORY / "demo_decoder" / "1" / "model.onnx"
    known = onnxruntime.InferenceSession(str(path))
    session = ort.openvino.Session(path, 1)

    def described(nodes: Any) -> Any:
        return [
            (node.name, node.type, [axis if isinstance(axis, int) else None for axis in node.shape]) for node in nodes
        ]

    assert described(session.get_inputs()) == described(known.get_inputs())
    assert described(session.get_outputs()) == described(known.get_outputs())


@pytest.mark.parametrize(
    ("config", "kind", "available", "wanted"),
    [
        (WANTED, "CPU", AVAILABLE, True),
        (WANTED, "GPU", AVAILABLE, False),
        (WANTED, "CPU", [*AVAILABLE, "OpenVINOExecutionProvider"], False),
        ({}, "CPU", AVAILABLE, False),
    ],
)
def test_it_is_taken_where_the_config_asks_for_it_and_onnx_runtime_lacks_it(
    ort: Any, config: dict[str, Any], kind: str, available: list[str], wanted: bool
) -> None:
    assert ort.openvino.wanted(config, kind, available) is wanted


def test_without_openvino_the_model_is_refused_with_the_remedy(ort: Any, vocoder: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ort.checks.ConfigError, match="pip install"):
        ort.openvino.Session(vocoder, 1)
