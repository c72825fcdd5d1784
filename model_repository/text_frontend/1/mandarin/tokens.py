"""What passes between the steps of the front end."""

from __future__ import annotations

from dataclasses import dataclass, field

from .results import Syllable


@dataclass(frozen=True)
class Reading:
    """A stretch of the written text and how to say it.

    Either `spoken` holds Chinese characters still to be pronounced, or `syllables` holds the sound already; then
    `spoken` is empty or has a character for each, for the rules that look at neighbours. `said` is what a voice that
    reads letters is given, where that is neither `spoken` nor `text`.
    """

    text: str
    kind: str
    spoken: str = ""
    syllables: tuple[Syllable, ...] = ()
    said: str = ""


@dataclass(frozen=True)
class Piece:
    """A reading and its place in the cleaned text.

    Pieces of one `group` become one word (-1: only what came from one number does). `exact` tones do not change.
    `ending` is the break after it, where that is given.
    """

    start: int
    end: int
    reading: Reading
    group: int = -1
    exact: bool = False
    ending: int | None = None


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
    # Tokens with the same group came from one written number or reading and become one word again.
    group: int = -1
    # What sounds as it was given: neither 儿 nor neighbours change its syllables, and not even its tones if exact.
    given: bool = False
    exact: bool = False
    ending: int | None = None
    said: str = ""
