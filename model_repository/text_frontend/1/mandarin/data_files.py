"""Reading the tables of facts beside the code."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parent / "data"


def words(name: str) -> frozenset[str]:
    """The entries of a data file that lists words."""
    return frozenset((DATA / name).read_text(encoding="utf-8").split())


def table(name: str) -> dict[str, str]:
    """A data file of two columns."""
    rows = (line.split("\t") for line in (DATA / name).read_text(encoding="utf-8").splitlines() if line)
    return {key: value for key, value in rows}
