"""OpenVINO in place of its execution provider, which ONNX Runtime's own packages lack.

It computes in bfloat16 where the processor has products for that (AMX), and else in float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ort_options
from ort_checks import ConfigError

# OpenVINO's element types, and ONNX Runtime's.
_TYPES = {
    "f32": "tensor(float)",
    "f16": "tensor(float16)",
    "i32": "tensor(int32)",
    "i64": "tensor(int64)",
    "boolean": "tensor(bool)",
}


def wanted(config: Mapping[str, Any], kind: str, available: Sequence[str]) -> bool:
    """Whether a config asks for OpenVINO on an instance of `kind`, and ONNX Runtime's `available` providers lack it."""
    entries = config.get("optimization", {}).get("execution_accelerators", {}).get("cpu_execution_accelerator", [])
    named = any(entry.get("name") == "openvino" for entry in entries)
    return kind != "GPU" and named and ort_options.OPENVINO not in available


@dataclass(frozen=True)
class Port:
    """An input or output, as ONNX Runtime would describe it."""

    name: str
    type: str
    shape: tuple[int | None, ...]


class Session:
    """An ONNX graph as OpenVINO runs it; to be used like an `onnxruntime.InferenceSession`."""

    def __init__(self, path: Path, threads: int) -> None:
        """Compile the graph for `threads` threads (0: all cores). Raises `ConfigError` where OpenVINO is missing."""
        try:
            import openvino
        except ImportError as error:
            raise ConfigError('the config wants OpenVINO, which is not installed: pip install "openvino"') from error
        properties = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            # Each instance is a process of its own: all of them would be pinned to the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        self._request = openvino.Core().compile_model(str(path), "CPU", properties).create_infer_request()
        self._inputs = {_name(port): port for port in self._request.model_inputs}
        self._outputs = {_name(port): port for port in self._request.model_outputs}

    def get_inputs(self) -> list[Port]:
        """The graph's inputs."""
        return [_described(name, port) for name, port in self._inputs.items()]

    def get_outputs(self) -> list[Port]:
        """The graph's outputs."""
        return [_described(name, port) for name, port in self._outputs.items()]

    def run(self, output_names: Sequence[str], input_feed: Mapping[str, Any], run_options: Any = None) -> list[Any]:
        """One inference; the outputs in the order of their names."""
        results = self._request.infer({self._inputs[name]: value for name, value in input_feed.items()})
        return [results[self._outputs[name]] for name in output_names]


def _name(port: Any) -> str:
    """The graph's own name of a port; a port has also the names of what OpenVINO fused with it."""
    name: str = port.get_node().get_friendly_name()
    return name.removesuffix("/sink_port_0")


def _described(name: str, port: Any) -> Port:
    kind = port.get_element_type().get_type_name()
    shape = tuple(axis.get_length() if axis.is_static else None for axis in port.get_partial_shape())
    return Port(name, _TYPES.get(kind, kind), shape)
