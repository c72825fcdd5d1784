"""Figures as files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

WIDTH = 120


def read(file: Path) -> dict[str, Any]:
    """What an earlier run has written, nothing without one."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(file: Path, content: dict[str, Any]) -> None:
    """A file for people and programs: what fits into a line, and lists of numbers, take one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_lines(rounded(content)) + "\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """Plain data with four significant figures, and null for what is not a number."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


def _lines(value: Any, indent: str = "") -> str:
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= WIDTH:
        return line
    deeper = indent + " "
    if isinstance(value, dict) and value:
        items = [
            f"{deeper}{json.dumps(str(name), ensure_ascii=False)}: {_lines(each, deeper)}"
            for name, each in value.items()
        ]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(each, dict | list | str) for each in value):
        return "[\n" + ",\n".join(deeper + _lines(each, deeper) for each in value) + f"\n{indent}]"
    return line
