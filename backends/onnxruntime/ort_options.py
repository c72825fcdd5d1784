"""Turns a model's config into ONNX Runtime's session options, run options and execution providers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnxruntime
from ort_checks import ConfigError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
OPENVINO = "OpenVINOExecutionProvider"

GPU_ACCELERATORS = {"tensorrt": TENSORRT, "cuda": CUDA}
CPU_ACCELERATORS = {"openvino": OPENVINO}

Provider = tuple[str, dict[str, str]]

# The C++ backend's names for TensorRT options, where they differ from ONNX Runtime's.
_TENSORRT_NAMES = {
    "max_workspace_size_bytes": "trt_max_workspace_size",
    "int8_calibration_table_name": "trt_int8_calibration_table_name",
    "int8_use_native_calibration_table": "trt_int8_use_native_calibration_table",
}
_TENSORRT_PRECISION = {"FP32": {}, "FP16": {"trt_fp16_enable": "1"}, "INT8": {"trt_int8_enable": "1"}}
# Older parameters of the model itself that go to CUDA, and the words for their numbers.
_CUDA_PARAMETERS: dict[str, tuple[str, ...]] = {
    "cudnn_conv_algo_search": ("EXHAUSTIVE", "HEURISTIC", "DEFAULT"),
    "arena_extend_strategy": ("kNextPowerOfTwo", "kSameAsRequested"),
    "gpu_mem_limit": (),
    "do_copy_in_default_stream": (),
}


def parameters(config: Mapping[str, Any]) -> dict[str, str]:
    """The ``parameters`` of a config as plain strings."""
    return {key: value.get("string_value", "") for key, value in config.get("parameters", {}).items()}


def session_options(config: Mapping[str, Any]) -> onnxruntime.SessionOptions:
    """Threads, memory and graph level under the names of the C++ backend."""
    values = parameters(config)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = _level(config)
    # Half of the cores: while one stage computes a clause, another computes the one before or after it.
    options.intra_op_num_threads = _number(values, "intra_op_thread_count", max(1, len(os.sched_getaffinity(0)) // 2))
    options.inter_op_num_threads = _number(values, "inter_op_thread_count", 0)
    options.enable_cpu_mem_arena = _switch(values, "enable_mem_arena", True)
    options.enable_mem_pattern = _switch(values, "enable_mem_pattern", True)
    if _switch(values, "execution_mode", False):
        options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
    # Each stage is a process of its own here: threads that spin after a run take the cores of the next stage.
    values = {"session.intra_op.allow_spinning": "0", "session.inter_op.allow_spinning": "0", **values}
    for key, value in values.items():
        if key.startswith("session."):
            options.add_session_config_entry(key, value)
    return options


def run_options(config: Mapping[str, Any]) -> onnxruntime.RunOptions | None:
    """Options of every run; None for the defaults."""
    key = "memory.enable_memory_arena_shrinkage"
    value = parameters(config).get(key)
    if not value:
        return None
    options = onnxruntime.RunOptions()
    options.add_run_config_entry(key, value)
    return options


def providers(
    config: Mapping[str, Any], kind: str, device: int, available: Sequence[str], warn: Callable[[str], None]
) -> list[Provider]:
    """The execution providers for an instance of ``kind`` "GPU" or "CPU", the preferred one first."""
    accelerators = config.get("optimization", {}).get("execution_accelerators", {})
    on_gpu = _accelerators(accelerators.get("gpu_execution_accelerator", []), GPU_ACCELERATORS)
    on_cpu = _accelerators(accelerators.get("cpu_execution_accelerator", []), CPU_ACCELERATORS)
    if kind != "GPU":
        chosen = [(provider, dict(values)) for provider, values in on_cpu.items()]
        _require(chosen, available)
        return [*chosen, (CPU, {})]
    cuda = {"device_id": str(device), **_cuda_parameters(parameters(config)), **on_gpu.get(CUDA, {})}
    chosen = []
    if TENSORRT in on_gpu:
        chosen.append((TENSORRT, {"device_id": str(device), **_tensorrt(on_gpu[TENSORRT])}))
    if CUDA in on_gpu or CUDA in available:
        chosen.append((CUDA, cuda))
    _require(chosen, available)
    if not chosen:
        warn("there is a GPU, but this onnxruntime is built without CUDA: using the CPU")
    return [*chosen, (CPU, {})]


def _accelerators(entries: Sequence[Mapping[str, Any]], known: Mapping[str, str]) -> dict[str, dict[str, str]]:
    found = {}
    for entry in entries:
        name = entry.get("name", "")
        if name not in known:
            raise ConfigError(f'the execution accelerator "{name}" is unknown: {", ".join(known)} can be used here')
        found[known[name]] = {key: str(value) for key, value in entry.get("parameters", {}).items()}
    return found


def _require(chosen: Sequence[Provider], available: Sequence[str]) -> None:
    for provider, _ in chosen:
        if provider not in available:
            raise ConfigError(
                f"the config wants {provider}, missing from this onnxruntime (it has {', '.join(available)})"
            )


def _tensorrt(values: Mapping[str, str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in values.items():
        if key == "precision_mode":
            if value not in _TENSORRT_PRECISION:
                raise ConfigError(f'precision_mode "{value}" is unknown: use {", ".join(_TENSORRT_PRECISION)}')
            options.update(_TENSORRT_PRECISION[value])
        elif key.startswith("trt_") or key in _TENSORRT_NAMES:
            options[_TENSORRT_NAMES.get(key, key)] = value
        else:
            raise ConfigError(f'the parameter "{key}" of the tensorrt accelerator is unknown')
    return options


def _cuda_parameters(values: Mapping[str, str]) -> dict[str, str]:
    options = {}
    for key, words in _CUDA_PARAMETERS.items():
        if key in values:
            number = _number(values, key, 0)
            if words and number >= len(words):
                raise ConfigError(f'the parameter "{key}" is {number}: use 0 to {len(words) - 1}')
            options[key] = words[number] if words else str(number)
    return options


def _level(config: Mapping[str, Any]) -> onnxruntime.GraphOptimizationLevel:
    level = int(config.get("optimization", {}).get("graph", {}).get("level", 0))
    levels = {
        0: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
        -1: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
        1: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
        2: onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    }
    if level not in levels:
        raise ConfigError(f"the graph optimization level {level} is unknown: use -1, 0, 1 or 2")
    return levels[level]


def _number(values: Mapping[str, str], key: str, default: int) -> int:
    text = values.get(key, "").strip()
    if not text:
        return default
    if not text.isdigit():
        raise ConfigError(f'the parameter "{key}" is "{text}": it must be a whole number of at least 0')
    return int(text)


def _switch(values: Mapping[str, str], key: str, default: bool) -> bool:
    text = values.get(key, "").strip().lower()
    if not text:
        return default
    if text not in ("0", "1", "true", "false"):
        raise ConfigError(f'the parameter "{key}" is "{text}": it must be 0 or 1')
    return text in ("1", "true")
