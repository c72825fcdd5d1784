"""What the device can do at most: bytes that are copied and multiply-adds of a large matrix product, measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from bench.figures import number, table
from bench.gpu.device import Device
from bench.gpu.eager import waited
from bench.gpu.setting import GpuSetting
from bench.setting import Section

TURNS = 20


@dataclass(frozen=True)
class Ceilings:
    """Bytes per second (read and written both count) and floating-point operations per second by number format."""

    bytes_per_second: float
    flops_per_second: dict[str, float]


def ceilings(device: Device, *, quick: bool) -> Ceilings:
    """Measure them. Of FP32, what tensor cores give with TF32 is told apart: ONNX Runtime uses it by default."""
    size, width = (1 << 20, 128) if quick else (1 << 30, 8192)
    source = torch.empty(size, dtype=torch.uint8, device=device.kind)
    target = torch.empty_like(source)
    bandwidth = 2 * size / waited(lambda: target.copy_(source), device, TURNS)
    flops = {
        "fp32": _product(device, width, torch.float32, "highest"),
        "tf32": _product(device, width, torch.float32, "high"),
        "fp16": _product(device, width, torch.float16, "highest"),
    }
    return Ceilings(bandwidth, flops)


def _product(device: Device, width: int, dtype: torch.dtype, precision: str) -> float:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        a, b = (torch.randn(width, width, device=device.kind).to(dtype) for _ in range(2))
        return 2 * width**3 / waited(lambda: a @ b, device, TURNS)
    finally:
        torch.set_float32_matmul_precision(before)


def measure(setting: GpuSetting) -> dict[str, Any]:
    """The section."""
    found = setting.ceilings
    return {"bytes_per_second": found.bytes_per_second, "flops_per_second": found.flops_per_second}


def show(result: dict[str, Any]) -> str:
    """One table."""
    rows = [("copy, GB/s", number(result["bytes_per_second"] / 1e9))]
    rows += [(f"{name}, TFLOP/s", number(value / 1e12)) for name, value in result["flops_per_second"].items()]
    return table(("ceiling", "measured"), rows)


SECTION = Section("ceilings", "What the device can do at most", measure, show)
