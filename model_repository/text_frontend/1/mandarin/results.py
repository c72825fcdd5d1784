"""The values the front end hands to the rest of the system."""

from __future__ import annotations

from dataclasses import dataclass

BREAK_NONE = 0
BREAK_WORD = 1
BREAK_PHRASE = 2
BREAK_CLAUSE = 3
BREAK_SENTENCE = 4


class TextError(ValueError):
    """The text holds nothing that can be said; the message is one English line saying what to do."""


@dataclass(frozen=True)
class Syllable:
    """One spoken syllable.

    `pinyin` is toneless, with v for ü, and always one of `syllables.KNOWN`; `tone` is 1-5 after sandhi;
    `erhua` says that the rhyme is r-coloured.
    """

    pinyin: str
    tone: int
    erhua: bool = False

    def __str__(self) -> str:
        return f"{self.pinyin}{'r' if self.erhua else ''}{self.tone}"


@dataclass(frozen=True)
class Word:
    """A piece of the text that is read as one word.

    `text` is what the user wrote, as far as it can be aligned; `break_after` is a prosodic break from 0
    (inside a prosodic word) to 4 (end of a sentence); `kind` is "hanzi", "number", "latin" or "symbol".

    For a voice that reads text, `said` is what is read: numbers and symbols in Chinese characters, Latin as letters,
    with a blank before them where they are a word of their own; `marks` are the punctuation marks that follow.
    """

    text: str
    syllables: tuple[Syllable, ...]
    break_after: int
    kind: str
    said: str = ""
    marks: str = ""


@dataclass(frozen=True)
class Bookmark:
    """A named place in a clause: before the syllable `syllable` of the word `word`, or at its end behind them all."""

    name: str
    word: int
    syllable: int


@dataclass(frozen=True)
class Clause:
    """The piece of text that goes through the acoustic model at once.

    `text` is the written form with its punctuation; `pause` is the silence, in seconds, that belongs between it
    and what follows, if anything does.
    """

    text: str
    words: tuple[Word, ...]
    pause: float
    bookmarks: tuple[Bookmark, ...] = ()


@dataclass(frozen=True)
class Notice:
    """Something that whoever sent the text would otherwise not know.

    `kind` is "skipped" (cannot be said), "spelled" (read letter by letter) or "lexicon" (English read with
    Mandarin syllables), "clamped" for a control, and "markup" or "dictionary"; `text` is the piece concerned;
    `message` is one English sentence.
    """

    kind: str
    text: str
    message: str


@dataclass(frozen=True)
class Analysis:
    """A whole text, ready to be encoded for a voice."""

    clauses: tuple[Clause, ...]
    notices: tuple[Notice, ...]
