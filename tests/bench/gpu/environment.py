"""The card, its driver and libraries, and whether ONNX Runtime really computes on it."""

from __future__ import annotations

import json
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pynvml
import torch
from onnx import TensorProto, helper, numpy_helper

from bench.figures import table
from bench.gpu.device import CUDA, Device
from bench.gpu.setting import GpuSetting
from bench.setting import Section

ONNXRUNTIMES = ("onnxruntime-gpu", "onnxruntime")


class Unfit(Exception):
    """This machine cannot compute what is asked of it: one sentence that says what to do."""


def measure(setting: GpuSetting) -> dict[str, Any]:
    """The section. Raises `Unfit`."""
    check(setting.device)
    return {"device": setting.device.kind, **card(), "versions": versions(), "providers": providers(setting.device)}


def card() -> dict[str, Any]:
    """Name, driver and MiB of the first card; nothing without one."""
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        return {
            "name": pynvml.nvmlDeviceGetName(handle),
            "driver": pynvml.nvmlSystemGetDriverVersion(),
            "memory_mib": pynvml.nvmlDeviceGetMemoryInfo(handle).total >> 20,
        }
    except pynvml.NVMLError:
        return {}


def versions() -> dict[str, str | None]:
    """What the figures depend on."""
    installed = {name: _version(name) for name in (*ONNXRUNTIMES, "torch", "nvidia-pytriton", "tensorrt")}
    return {**installed, "cuda of torch": torch.version.cuda}


def check(device: Device) -> None:
    """Raises `Unfit` unless PyTorch and ONNX Runtime both compute on the device."""
    if not device.is_gpu:
        return
    if not card():
        raise Unfit("NVML finds no NVIDIA card: run this on a machine with one, or with --device cpu --quick")
    if not torch.cuda.is_available():
        raise Unfit(f"torch {torch.__version__} finds no CUDA: install a build of it for this driver in place of it")
    if CUDA not in onnxruntime.get_available_providers():
        other = " and uninstall onnxruntime, which hides it" if _version("onnxruntime-gpu") else ""
        raise Unfit(f"this ONNX Runtime is built without CUDA: install onnxruntime-gpu in place of it{other}")
    # Those of CUDA and cuDNN that came with torch, where the system has none.
    onnxruntime.preload_dlls()
    found = providers(device)
    if found != [CUDA]:
        raise Unfit(
            f"ONNX Runtime computes on {', '.join(found)} and not on the card: its CUDA or cuDNN libraries do not load "
            "(the warning above names the first): install nvidia-cudnn-cu12, or -cu13 if onnxruntime-gpu is of CUDA 13"
        )


def providers(device: Device) -> list[str]:
    """Which execution providers a convolution really ran on, by ONNX Runtime's own profile."""
    with tempfile.TemporaryDirectory(prefix="providers-") as folder:
        options = onnxruntime.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(_convolution(), options, providers=device.providers())
        session.run(None, {"x": np.ones((1, 8, 64), np.float32)})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    ran = {event["args"]["provider"] for event in events if event.get("args", {}).get("op_name") == "Conv"}
    return sorted(name for name in ran if name)


def _convolution() -> bytes:
    weight = numpy_helper.from_array(np.ones((8, 8, 3), np.float32), "w")
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8, length])
        for name, length in (("x", 64), ("y", 62))
    ]
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "check", values[:1], values[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def show(result: dict[str, Any]) -> str:
    """One table."""
    rows = [(name, result[name]) for name in ("name", "driver", "memory_mib") if name in result]
    rows += [(name, version) for name, version in result["versions"].items() if version]
    return table(("", "here"), [*rows, ("ONNX Runtime computes on", ", ".join(result["providers"]))])


SECTION = Section("environment", "The machine", measure, show)
