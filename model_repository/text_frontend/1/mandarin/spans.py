"""Stretches of a text whose reading is given, and places in it that are asked about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import characters as ch
from .latin import Latin
from .results import Notice, Syllable
from .say_as import say_as
from .scan import Scanner
from .syllables import parse_many
from .tokens import Piece, Reading

# Stands in the scanned text where a reading is given: no rule knows it, so none reads across it.
_PLACE = "\ufffc"
# Groups of tokens that become one word: those of given readings are counted from here, those of numbers from 0.
_FIRST_GROUP = 1_000_000
# A break after a reading, as labels of recordings have it; longer ones are what punctuation makes.
_ENDING = re.compile(r"\s+#([0-2])\s*$")


@dataclass(frozen=True)
class Span:
    """The characters `start` to `end` of a text and how to read them; one word unless the reading has several.

    `kind` says what `value` is: "pinyin" (said exactly as given, see `parse_phonemes`), "citation" (pinyin with the
    tones of a dictionary, which change as they do in speech), "text" (read instead), or one of `say_as.SAY_AS` (read as
    that; `value` is a date's form, like `mdy`).
    """

    start: int
    end: int
    kind: str
    value: str


@dataclass(frozen=True)
class Place:
    """A named place before the character `at` of a text."""

    name: str
    at: int


@dataclass(frozen=True)
class Prepared:
    """A text ready to be scanned.

    `scanned` has a placeholder for each character of a span, where `shown` has what the user wrote; both are equally
    long. `given` has the pieces of each span by where it starts, and `end`, where it ends.
    """

    scanned: str
    shown: str
    given: dict[int, tuple[int, list[Piece]]]
    places: tuple[Place, ...]
    skipped: tuple[str, ...]
    notices: tuple[Notice, ...]


def parse_pinyin(text: str) -> tuple[Syllable, ...] | None:
    """Syllables with tone digits, separated by blanks, or None for anything else."""
    try:
        return parse_many(text) or None
    except (KeyError, ValueError, IndexError):
        return None


def parse_phonemes(text: str) -> tuple[tuple[Syllable, ...], int | None] | None:
    """Pinyin and the break after it where one is given, like `jin1 tian1 #1`, or None for anything else."""
    ending = _ENDING.search(text)
    syllables = parse_pinyin(text[: ending.start()] if ending else text)
    if syllables is None:
        return None
    return syllables, int(ending[1]) if ending else None


def prepare(text: str, spans: Sequence[Span], places: Sequence[Place], latin: Latin) -> Prepared:
    """Clean a text around its spans, which are in order and do not overlap."""
    scanned: list[str] = []
    shown: list[str] = []
    given: dict[int, tuple[int, list[Piece]]] = {}
    moved: list[Place] = []
    skipped: list[str] = []
    notices: list[Notice] = []
    waiting = sorted(places, key=lambda place: place.at)
    size = 0
    at = 0

    def plain(end: int) -> None:
        nonlocal at, size
        cleaned = ch.clean(text[at:end])
        scanned.append(cleaned.text)
        shown.append(cleaned.text)
        skipped.extend(cleaned.skipped)
        size += len(cleaned.text)
        at = end

    def reach(end: int) -> None:
        """Plain text up to `end`, cut at the places in it so that they are known afterwards."""
        while waiting and waiting[0].at <= end:
            plain(waiting[0].at)
            moved.append(replace(waiting.pop(0), at=size))
        plain(end)

    for number, span in enumerate(spans):
        reach(span.start)
        written = text[span.start : span.end]
        found = _pieces(span, written, size, _FIRST_GROUP + number, latin)
        if found is None:
            message = f"the reading given for '{written[:40]}' has nothing to say: it is read as it stands."
            notices.append(Notice("markup", written, message))
            continue
        while waiting and waiting[0].at < span.end:
            moved.append(replace(waiting[0], at=size + waiting.pop(0).at - span.start))
        pieces, told = found
        given[size] = size + len(written), pieces
        notices += told
        scanned.append(_PLACE * len(written))
        shown.append(written)
        size += len(written)
        at = span.end
    reach(len(text))
    return Prepared("".join(scanned), "".join(shown), given, tuple(moved), tuple(skipped), tuple(notices))


def _pieces(span: Span, written: str, start: int, group: int, latin: Latin) -> tuple[list[Piece], list[Notice]] | None:
    """The pieces of a span that starts at `start` of the cleaned text, or None when there is nothing to say."""
    end = start + len(written)
    if span.kind in ("pinyin", "citation"):
        found = parse_phonemes(span.value)
        if found is None:
            return None
        syllables, ending = found
        whole = all(map(ch.is_hanzi, written))
        # With as many syllables as characters, rules for the neighbours can see which character has which.
        spoken = written if whole and len(written) == len(syllables) else ""
        kind = "hanzi" if whole else "symbol"
        reading = Reading(written, kind, spoken, syllables)
        return [Piece(start, end, reading, exact=span.kind == "pinyin", ending=ending)], []
    if span.kind == "text":
        scanner = Scanner(ch.clean(span.value).text, latin)
        pieces = []
        ended = 0
        for item in scanner.run():
            if isinstance(item, Piece):
                blank = " " if item.start > ended else ""
                said = blank + (item.reading.said or item.reading.spoken or item.reading.text)
                pieces.append(Piece(start, end, replace(item.reading, text=written, said=said), group))
                ended = item.end
        return (pieces, scanner.notices) if pieces else None
    pieces = []
    for reading in say_as(span.kind, written, span.value) or ():
        pieces.append(Piece(min(start, end - 1), end, reading, group + len(pieces)))
        start += len(reading.text)
    return (pieces, []) if pieces else None
