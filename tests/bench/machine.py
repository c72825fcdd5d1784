"""What the figures were measured on."""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import pynvml

PACKAGES = ("nvidia-pytriton", "onnxruntime", "onnxruntime-gpu", "numpy", "torch", "ai-edge-litert", "flask")


@dataclass(frozen=True)
class Machine:
    """Processor and cards by name, logical cores, MiB of memory, and what runs on them."""

    processor: str
    cores: int
    memory_mib: int
    gpus: list[str]
    python: str
    date: str
    versions: dict[str, str]

    @property
    def title(self) -> str:
        """One line for people."""
        return ", ".join([self.processor, f"{self.cores} cores", *self.gpus, self.date])


def machine() -> Machine:
    """This one, now."""
    return Machine(
        _processor(),
        os.cpu_count() or 1,
        psutil.virtual_memory().total >> 20,
        _gpus(),
        platform.python_version(),
        date.today().isoformat(),
        {name: found for name in PACKAGES if (found := _version(name))},
    )


def busy_cores() -> float:
    """How many cores others keep busy, over a second: figures taken beside them are noise."""
    return round(math.fsum(psutil.cpu_percent(interval=1.0, percpu=True)) / 100, 2)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _gpus() -> list[str]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        names = [
            pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(index))
            for index in range(pynvml.nvmlDeviceGetCount())
        ]
    finally:
        pynvml.nvmlShutdown()
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
