"""Reads the tables in `lexicon/`: what Mandarin words say about speed, pitch, contour and energy."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from export.style.attributes import ATTRIBUTES, Effect, Effects

FOLDER = Path(__file__).with_name("lexicon")

# Classes of nouns; B stands for words that need no noun.
NOUN_CLASSES = "SPVCA"
_EFFECT = re.compile(r"(?P<name>[a-z]+)(?P<strength>[+-][0-9.]+)(?:@(?P<clarity>[0-9.]+))?")
_MOOD_CLARITY = 0.55
_PERSONA_CLARITY = 0.45


@dataclass(frozen=True)
class Word:
    """A word and what it does."""

    text: str
    effects: Effects


@dataclass(frozen=True)
class Degree:
    """A degree word: it goes before the word, after it or around it."""

    before: str
    after: str
    factor: float


@dataclass(frozen=True)
class Lexicon:
    """All tables.

    `scales`, `verbs` and `neutrals` are by class of noun (`B` in `scales` and `neutrals`: without). `fillers` say
    nothing, `frames` stand around words, `rates` are numbers of times as fast.
    """

    nouns: dict[str, tuple[str, ...]]
    scales: dict[str, tuple[Word, ...]]
    verbs: dict[str, tuple[Word, ...]]
    neutrals: dict[str, tuple[Word, ...]]
    moods: tuple[Word, ...]
    personas: tuple[Word, ...]
    degrees: tuple[Degree, ...]
    negations: tuple[tuple[str, float], ...]
    fillers: tuple[tuple[str, ...], ...]
    frames: dict[str, tuple[str, ...]]
    rates: tuple[tuple[str, float], ...]


def normalised(text: str) -> str:
    """The form in which the network sees text: NFKC, lower case."""
    return unicodedata.normalize("NFKC", text).lower()


def _rows(name: str) -> Iterator[tuple[str, ...]]:
    for line in (FOLDER / f"{name}.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield tuple(line.split("\t"))


def parse_effects(text: str, clarity: float = 1.0) -> Effects:
    """`speed+.5 pitch-.3@.4` → effects. Raises `ValueError` for anything else."""
    effects: Effects = {}
    for part in text.split():
        match = _EFFECT.fullmatch(part)
        if match is None or match["name"] not in ATTRIBUTES:
            raise ValueError(f"not an effect: {part}")
        effects[match["name"]] = Effect(float(match["strength"]), float(match["clarity"] or clarity))
    return effects


def _words(texts: str, effects: str, clarity: float = 1.0) -> tuple[Word, ...]:
    parsed = parse_effects(effects, clarity)
    return tuple(Word(normalised(text), parsed) for text in texts.split())


def _by_class(name: str) -> dict[str, tuple[Word, ...]]:
    found: dict[str, list[Word]] = {}
    for classes, texts, effects in _rows(name):
        for one in classes:
            # The first row that has a word wins.
            known = {word.text for word in found.setdefault(one, [])}
            found[one] += [word for word in _words(texts, effects) if word.text not in known]
    return {one: tuple(words) for one, words in found.items()}


def _unique(name: str, clarity: float, taken: set[str]) -> tuple[Word, ...]:
    """The words of a table that no table before it has: a word alone can mean one thing only."""
    found = []
    for texts, effects in _rows(name):
        for word in _words(texts, effects, clarity):
            if word.text not in taken:
                taken.add(word.text)
                found.append(word)
    return tuple(found)


def _frame(text: str) -> str:
    return "" if text == "_" else text.replace("␣", " ")


def _degrees() -> Iterator[Degree]:
    for kind, factor, texts in _rows("degrees"):
        for text in texts.split():
            before, _, after = text.partition("…") if kind == "both" else (text, "", "")
            yield Degree("", text, float(factor)) if kind == "post" else Degree(before, after, float(factor))


def load() -> Lexicon:
    """Read all tables. Raises `ValueError` for a malformed row and `OSError` for a missing table."""
    scales, neutrals = _by_class("scales"), _by_class("neutrals")
    taken = {word.text for table in (scales, neutrals) for word in table.get("B", ())}
    return Lexicon(
        nouns={one: tuple(texts.split()) for one, texts in _rows("nouns")},
        scales=scales,
        verbs=_by_class("verbs"),
        neutrals=neutrals,
        moods=_unique("moods", _MOOD_CLARITY, taken),
        personas=_unique("personas", _PERSONA_CLARITY, taken),
        degrees=tuple(_degrees()),
        negations=tuple((text, float(factor)) for factor, texts in _rows("negations") for text in texts.split()),
        fillers=tuple(tuple(row[0].split()) for row in _rows("fillers")),
        frames={name: tuple(_frame(text) for text in texts.split()) for name, texts in _rows("frames")},
        rates=tuple((text, float(strength)) for strength, texts in _rows("rates") for text in texts.split()),
    )
