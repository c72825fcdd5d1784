"""Text whose effect is known: what the grammar puts together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from export.style.attributes import Effects, scaled
from export.style.lexicon import Degree, Lexicon, Word


@dataclass(frozen=True)
class Piece:
    """A text and the effects of words in it, each by the position of the word's last character."""

    text: str
    marks: tuple[tuple[int, Effects], ...] = ()

    def __add__(self, other: Piece | str) -> Piece:
        """The two in a row."""
        if isinstance(other, str):
            return Piece(self.text + other, self.marks)
        moved = tuple((position + len(self.text), effects) for position, effects in other.marks)
        return Piece(self.text + other.text, self.marks + moved)

    def __radd__(self, other: str) -> Piece:
        return Piece(other) + self


PLACE = "…"


def framed(frame: str, *pieces: Piece) -> Piece:
    """Pieces at the places (`…`) of a frame."""
    first, *rest = frame.split(PLACE)
    made = Piece(first)
    for piece, text in zip(pieces, rest, strict=True):
        made = made + piece + text
    return made


def marked(text: str, effects: Effects) -> Piece:
    """A word with its effects."""
    return Piece(text, ((len(text) - 1, effects),))


def with_degree(word: Word, degree: Degree) -> Piece:
    """A word under a degree word."""
    return degree.before + marked(word.text, scaled(word.effects, degree.factor)) + degree.after


def denied(word: Word, factor: float) -> Piece:
    """A word that is negated by what stands before it. It is said less clearly than the word itself would be."""
    return marked(word.text, scaled(word.effects, factor, clarity=0.8))


_T = TypeVar("_T")


def usual(rng: Random, short: Sequence[_T], every: Sequence[_T]) -> _T:
    """A choice among all in which the short ones, which are the most usual, are likelier."""
    return rng.choice(short if rng.random() < 0.35 else every)


def graded(rng: Random, lexicon: Lexicon, word: Word) -> Piece:
    """A word, often under a degree word, sometimes negated."""
    kind = rng.random()
    if kind < 0.3:
        return marked(word.text, word.effects)
    if kind < 0.8:
        short = [degree for degree in lexicon.degrees if len(degree.before) == 1 and not degree.after]
        return with_degree(word, usual(rng, short, lexicon.degrees))
    short_ones = [known for known in lexicon.negations if len(known[0]) <= 2]
    negation, factor = usual(rng, short_ones, lexicon.negations)
    return negation + denied(word, factor) + rng.choice(lexicon.frames["after"])
