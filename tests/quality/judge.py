"""Compares what was to be said with what was understood, as toneless pinyin: homophones are not errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# Spellings of one sound that a recogniser mixes: 2 is both 两 and 二, and 着 is 著 in traditional characters.
_SAME_SOUND = str.maketrans({"两": "二", "〇": "零", "著": "着"})


@dataclass(frozen=True)
class Syllable:
    """One unit of comparison: how it is written, and how that is read without its tone."""

    written: str
    reading: str

    def sounds_like(self, other: Syllable) -> bool:
        """The same reading, or the same character, which pypinyin may read differently in another context."""
        return self.reading == other.reading or self.written == other.written


@dataclass(frozen=True)
class Comparison:
    """Edits that turn what was understood into what was to be said, of that many syllables."""

    edits: int
    length: int

    @property
    def error(self) -> float:
        """Edits per syllable; 0 for nothing to say."""
        return self.edits / self.length if self.length else 0.0


def edit_distance(reference: Sequence[Syllable], heard: Sequence[Syllable]) -> int:
    """The fewest insertions, deletions and substitutions between the two (Levenshtein)."""
    previous = list(range(len(heard) + 1))
    for row, wanted in enumerate(reference, start=1):
        current = [row]
        for column, got in enumerate(heard, start=1):
            replaced = previous[column - 1] + (not wanted.sounds_like(got))
            current.append(min(replaced, previous[column] + 1, current[column - 1] + 1))
        previous = current
    return previous[-1]


def syllables(text: str) -> list[Syllable]:
    """The syllables of ``text``: digits as they are said, each Latin letter by itself, no punctuation."""
    from pypinyin import lazy_pinyin

    spoken = _normalizer().normalize(text).lower().translate(_SAME_SOUND)
    found: list[Syllable] = []
    run = ""
    for character in f"{spoken} ":
        if _is_hanzi(character):
            run += character
            continue
        found += [Syllable(one, reading) for one, reading in zip(run, lazy_pinyin(run, errors=_each), strict=True)]
        run = ""
        if character.isascii() and character.isalpha():
            found.append(Syllable(character, character))
    return found


def compare(reference: str, heard: str) -> Comparison:
    """How far ``heard`` is from ``reference`` in sound."""
    wanted = syllables(reference)
    return Comparison(edit_distance(wanted, syllables(heard)), len(wanted))


def total(comparisons: Iterable[Comparison]) -> Comparison:
    """All of them as one, so that a long sentence counts more than a short one."""
    edits = length = 0
    for comparison in comparisons:
        edits += comparison.edits
        length += comparison.length
    return Comparison(edits, length)


def _each(unreadable: str) -> Any:
    """Characters that pypinyin does not know are their own reading."""
    return list(unreadable)


def _is_hanzi(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff" or "\u3400" <= character <= "\u4dbf"


@lru_cache(maxsize=1)
def _normalizer() -> Any:
    """Writes digits in characters and traditional characters as simplified ones; leaves out the 儿 of erhua.

    Whisper writes that 儿 or not as it pleases, and it is no syllable.
    """
    from wetext import Normalizer

    return Normalizer(lang="zh", operator="tn", traditional_to_simple=True, remove_erhua=True)
