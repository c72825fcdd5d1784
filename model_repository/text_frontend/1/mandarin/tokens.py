"""What passes between the steps of the front end."""

from __future__ import annotations

from dataclasses import dataclass, field

from .results import Syllable


@dataclass(frozen=True)
class Reading:
    """A stretch of the written text and how to say it.

    Either `spoken` holds Chinese characters still to be pronounced, or `syllables` holds the sound already.
    """

    text: str
    kind: str
    spoken: str = ""
    syllables: tuple[Syllable, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A reading and its place in the cleaned text."""

    start: int
    end: int
    reading: Reading


@dataclass(frozen=True)
class Mark:
    """A punctuation mark (or blank) and its place; `char` is its canonical character."""

    start: int
    char: str


@dataclass
class Token:
    """A word on its way to becoming a `Word`: pronunciation is filled in step by step."""

    start: int
    end: int
    text: str
    spoken: str
    kind: str
    syllables: list[Syllable] = field(default_factory=list)
    break_after: int = 1
    mark: str = ""
    # Tokens with the same group came from one written number and become one word again.
    group: int = -1
