"""Prosodic breaks between words: what clings to its neighbour and where a phrase may end."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from .data_files import words
from .results import BREAK_NONE, BREAK_PHRASE, BREAK_WORD
from .tokens import Token

# Particles that lean on the word before them, and words that lean on the one after.
_ENCLITICS = words("enclitics.txt")
_PROCLITICS = words("proclitics.txt")
# What a number counts or names: 3月, 5日.
_MEASURES = words("measures.txt")
_TRAILING = _ENCLITICS | _MEASURES
# Conjunctions, prepositions and the like: a phrase may end before them.
_OPENERS = words("phrase_openers.txt")
# What a word ends with that goes on with the next one: 放在, 一个.
_BINDING = words("binding.txt")
_MIN_PHRASE = 4
_LONG_PHRASE = 7


def assign_breaks(tokens: Sequence[Token]) -> None:
    """Set `break_after` of the tokens of one stretch without punctuation (the last one is left alone)."""
    since = 0
    remaining = sum(len(t.syllables) for t in tokens)
    for token, following in itertools.pairwise(tokens):
        since += len(token.syllables)
        remaining -= len(token.syllables)
        token.break_after = _break(token, following, since, remaining) if token.ending is None else token.ending
        if token.break_after >= BREAK_PHRASE:
            since = 0


def _break(token: Token, following: Token, since: int, remaining: int) -> int:
    one_number = token.group >= 0 and token.group == following.group
    counted = token.kind == "number" and following.spoken in _MEASURES
    if one_number or counted or following.spoken in _ENCLITICS or token.spoken in _PROCLITICS:
        return BREAK_NONE
    binding = token.spoken[-1:] in _BINDING or token.kind == following.kind == "number"
    if remaining >= _MIN_PHRASE - 1 and not binding:
        # A word of one syllable goes on with the next: 记在心里.
        lone = len(token.syllables) == 1 and token.spoken not in _TRAILING
        if following.spoken in _OPENERS and since >= _MIN_PHRASE and not lone:
            return BREAK_PHRASE
        if since >= _LONG_PHRASE and len(token.syllables) > 1 and len(following.syllables) > 1:
            return BREAK_PHRASE
    return BREAK_WORD
