"""The threat table of docs/security.md: every line names tests, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)\(", file.read_text("utf-8"), re.MULTILINE)
}


def threats() -> list[tuple[str, str]]:
    """Each line's threat, and the column of tests."""
    table = PAGE[PAGE.index("## What stands against what") :]
    rows = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [(row[0].strip(), row[2]) for row in rows[1:]]


@pytest.mark.parametrize(("threat", "shown"), threats(), ids=[threat for threat, _ in threats()])
def test_what_stands_against_a_threat_is_shown_by_tests_that_exist(threat: str, shown: str) -> None:
    names = re.findall(r"`(test_\w+)`", shown)
    assert names
    assert [name for name in names if name not in TESTS] == []


@pytest.mark.parametrize(
    "word", ["wire", "server in ours", "client", "load", "memory", "checkpoint", "SSML", "bears", "processes", "header"]
)
def test_the_page_speaks_of_every_kind_of_threat(word: str) -> None:
    assert any(word in threat for threat, _ in threats())
