"""OpenVINO in place of its execution provider, which ONNX Runtime's own packages lack.

It computes in bfloat16 where the processor has products for that (AMX), and else in float32. The products of a graph's
inputs stay in float32: to round a spectrogram to eight bits costs a vocoder 7 dB, and its first layer is a small one.
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


_PRODUCTS = {"Convolution", "ConvolutionBackpropData", "GroupConvolution", "MatMul"}


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
        core = openvino.Core()
        model = core.read_model(str(path))
        self._inputs = [_described(port) for port in model.inputs]
        self._outputs = [_described(port) for port in model.outputs]
        self._first: Any = None
        if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            first, model = _divided(model)
            exact = properties | {"INFERENCE_PRECISION_HINT": "f32"}
            self._first = core.compile_model(first, "CPU", exact).create_infer_request()
        self._request = core.compile_model(model, "CPU", properties).create_infer_request()

    def get_inputs(self) -> list[Port]:
        """The graph's inputs."""
        return self._inputs

    def get_outputs(self) -> list[Port]:
        """The graph's outputs."""
        return self._outputs

    def run(self, output_names: Sequence[str], input_feed: Mapping[str, Any], run_options: Any = None) -> list[Any]:
        """One inference; the outputs in the order of their names."""
        values = [input_feed[port.name] for port in self._inputs]
        if self._first is not None:
            # Where the graph has been divided, what the first part gives comes after the graph's inputs.
            values += list(self._first.infer(values, share_outputs=True).values())
        results = self._request.infer(values)
        found = dict(zip((port.name for port in self._outputs), results.values(), strict=True))
        return [found[name] for name in output_names]


def _divided(model: Any) -> tuple[Any, Any]:
    """A model as two: inputs → their products (with what is added to them), and inputs and products → outputs."""
    import openvino
    from openvino import opset13 as ops

    cuts = [_with_bias(node) for node in model.get_ordered_ops() if _is_product_of_inputs(node)]
    results = [ops.result(cut.output(0)) for cut in cuts]
    first = openvino.Model(results, model.get_parameters(), "first").clone()
    given = []
    for cut in cuts:
        parameter = ops.parameter(cut.output(0).get_partial_shape(), cut.output(0).get_element_type())
        consumers = [target for target in cut.output(0).get_target_inputs() if target.get_node() not in results]
        for target in consumers:
            target.replace_source_output(parameter.output(0))
        given.append(parameter)
    return first, openvino.Model(model.get_results(), [*model.get_parameters(), *given], "rest")


def _is_product_of_inputs(node: Any) -> bool:
    """Whether it is a product, and no other one is between it and the inputs."""
    if node.get_type_name() not in _PRODUCTS:
        return False
    seen: set[str] = set()
    left = [node]
    while left:
        above = [value.get_node() for value in left.pop().input_values()]
        if any(each.get_type_name() in _PRODUCTS for each in above):
            return False
        left += [each for each in above if each.get_name() not in seen]
        seen |= {each.get_name() for each in above}
    return True


def _with_bias(product: Any) -> Any:
    """The node that adds the bias to a product, or else the product itself."""
    (*_, only) = users = [target.get_node() for target in product.output(0).get_target_inputs()]
    return only if len(users) == 1 and only.get_type_name() == "Add" else product


def _described(port: Any) -> Port:
    # A port has also the names of what OpenVINO fused with it; the node's own is the graph's.
    name: str = port.get_node().get_friendly_name()
    kind = port.get_element_type().get_type_name()
    shape = tuple(axis.get_length() if axis.is_static else None for axis in port.get_partial_shape())
    return Port(name.removesuffix("/sink_port_0"), _TYPES.get(kind, kind), shape)
