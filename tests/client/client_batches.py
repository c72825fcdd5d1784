"""Inputs of batches, and what they leave in the folder ``out``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write(count: int, name: str = "in.txt") -> str:
    """An input of ``count`` lines."""
    Path(name).write_text("".join(f"第{number}行。\n" for number in range(1, count + 1)), encoding="utf-8")
    return name


def text_of(request: Any) -> str:
    """The text of a request."""
    return bytes(request.raw_input_contents[0][4:]).decode()


def journal() -> list[dict[str, Any]]:
    """The journal's records."""
    return [json.loads(line) for line in Path("out/journal.jsonl").read_text(encoding="utf-8").splitlines()]


def failures() -> list[dict[str, Any]]:
    """The records of what failed."""
    return [json.loads(line) for line in Path("out/failures.jsonl").read_text(encoding="utf-8").splitlines()]
