"""Shared by the tests of the text front end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mandarin import Analysis, Frontend, Word
from mandarin.syllables import KNOWN
from mandarin.units_baker import split_syllable

BREAKS = ("sil", "#0", "#1", "#2", "#3", "eos", "er5")


def table(name: str) -> list[tuple[str, str]]:
    """Rows of a file beside the tests; # starts a comment line."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return [(text, expected) for text, expected in rows]


def symbols() -> dict[str, int]:
    """All symbols of the Baker family, in some order of their own."""
    parts = [split_syllable(s) for s in KNOWN]
    names = {i for i, _ in parts} | {f"{f}{t}" for _, f in parts for t in range(1, 6)} | set(BREAKS)
    return {name: number for number, name in enumerate(sorted(names))}


def cost(words: Sequence[Word]) -> int:
    return 3 * sum(len(w.syllables) for w in words) + sum(s.erhua for w in words for s in w.syllables) + 2


def analyze(frontend: Frontend, text: str, max_units: int = 100) -> Analysis:
    return frontend.analyze(text, unit_count=cost, max_units=max_units)


def reading(frontend: Frontend, text: str) -> str:
    clauses = analyze(frontend, text).clauses
    return " ".join(str(s) for c in clauses for w in c.words for s in w.syllables)
