"""Which syllable a named place in the text comes before."""

from __future__ import annotations

from collections.abc import Sequence

from .clauses import SpokenWord
from .results import Bookmark
from .spans import Place


def bookmarks(places: Sequence[Place], words: Sequence[SpokenWord]) -> tuple[Bookmark, ...]:
    """The places of one clause, by its words; behind the last word is the clause's end."""
    return tuple(_bookmark(place, words) for place in places)


def _bookmark(place: Place, words: Sequence[SpokenWord]) -> Bookmark:
    for index, spoken in enumerate(words):
        if place.at <= spoken.start:
            return Bookmark(place.name, index, 0)
        inside = place.at - spoken.start
        if inside < len(spoken.word.text):
            # Character by character only where each is a syllable; otherwise the word begins there.
            each = len(spoken.word.text) == len(spoken.word.syllables)
            return Bookmark(place.name, index, inside if each else 0)
    return Bookmark(place.name, len(words), 0)
