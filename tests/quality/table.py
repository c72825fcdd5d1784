"""Plain tables for a terminal, in which a Chinese character is two columns wide."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def width(text: str) -> int:
    """Terminal columns of ``text``."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Aligned columns under a header; the columns named in ``right`` are aligned to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(width(line[column]) for line in lines) for column in range(len(header))]
    lines.insert(1, ["-" * size for size in widths])
    return "\n".join(_line(line, widths, [name in right for name in header]) for line in lines)


def percent(share: float) -> str:
    """``0.0312`` as ``3.1``."""
    return f"{100 * share:.1f}"


def _line(cells: Sequence[str], widths: Sequence[int], to_right: Sequence[bool]) -> str:
    padded = []
    for cell, size, flush in zip(cells, widths, to_right, strict=True):
        gap = " " * (size - width(cell))
        padded.append(gap + cell if flush else cell + gap)
    return "  ".join(padded).rstrip()
