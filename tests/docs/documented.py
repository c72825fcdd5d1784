"""The commands and the Python examples in the documentation."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """One command of a page, as it is written there."""

    page: str
    line: str

    @property
    def words(self) -> list[str]:
        """What a shell makes of it; operators are words, too."""
        lexer = shlex.shlex(self.line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        lexer.commenters = ""
        return list(lexer)

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"


def blocks(page: Path, language: str) -> list[str]:
    """The contents of a page's fenced blocks in a language."""
    return [body for found, body in _FENCE.findall(page.read_text("utf-8")) if found == language]


def commands() -> list[Command]:
    """Every line of every shell block, without its comment; a line that goes on is one."""
    return [
        Command(page.relative_to(ROOT).as_posix(), line)
        for page in PAGES
        for block in blocks(page, "bash")
        for line in _lines(block)
    ]


def examples() -> list[tuple[str, str]]:
    """Every Python block, with its page."""
    return [(page.relative_to(ROOT).as_posix(), block) for page in PAGES for block in blocks(page, "python")]


def _lines(block: str) -> list[str]:
    whole = re.sub(r"\s*\\\n\s*", " ", block)
    lines = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in whole.splitlines())
    return [line for line in lines if line]
