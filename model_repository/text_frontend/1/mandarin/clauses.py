"""Sentences into clauses that the acoustic model can take at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .results import BREAK_CLAUSE, BREAK_SENTENCE, Word

UnitCount = Callable[[Sequence[Word]], int]

_PAUSES = {"、": 0.1, "—": 0.15, "…": 0.4, "\n": 0.6}
_MEDIUM_PAUSE = 0.2
_SENTENCE_PAUSE = 0.35
# What a split costs, in units of a full clause's length of imbalance.
_COST_BY_BREAK = {0: 0.9, 1: 0.6, 2: 0.3, BREAK_CLAUSE: 0.0, BREAK_SENTENCE: 0.0}
_ORPHAN_COST = 0.5
_ORPHAN = 4
_SEARCH = 0.6


@dataclass(frozen=True)
class SpokenWord:
    """A word with its place in the text and the punctuation that follows it."""

    word: Word
    start: int
    mark: str = ""


def pause_after(mark: str) -> float:
    """Seconds of silence for the strongest mark that ended a clause."""
    if not mark:
        return 0.0
    if mark in _PAUSES:
        return _PAUSES[mark]
    return _SENTENCE_PAUSE if mark in "。！？!?\u2028" else _MEDIUM_PAUSE


def split_sentence(words: Sequence[SpokenWord], unit_count: UnitCount, max_units: int) -> list[list[SpokenWord]]:
    """Divide one sentence into as few balanced clauses as fit, at the best boundaries there are."""
    done: list[list[SpokenWord]] = []
    todo = [list(words)]
    while todo:
        piece = todo.pop()
        units = unit_count([w.word for w in piece])
        if units <= max_units:
            done.append(piece)
        elif len(piece) == 1:
            todo.extend(reversed([[w] for w in _halve(piece[0], max_units)]))
        else:
            at = _best_split(piece, units / max_units)
            todo.extend((piece[at:], piece[:at]))
    return done


def _best_split(piece: list[SpokenWord], clauses: float) -> int:
    """The index to split at, for a piece that is `clauses` times too long."""
    ends: list[int] = []
    total = 0
    for spoken in piece:
        total += len(spoken.word.syllables)
        ends.append(total)
    parts = math.ceil(clauses * 1.03)
    target = total * (parts // 2) / parts
    room = total / clauses
    best, best_cost = 1, float("inf")
    for index in range(1, len(piece)):
        distance = abs(ends[index - 1] - target) / room
        # Far from the target nothing can win, except when there is nothing nearer.
        if distance > _SEARCH and best_cost < float("inf"):
            if ends[index - 1] > target:
                break
            cost = distance + 1.0
        else:
            cost = distance + _COST_BY_BREAK[piece[index - 1].word.break_after]
        if piece[index - 1].mark == "、":
            cost += 0.1
        if min(ends[index - 1], total - ends[index - 1]) < _ORPHAN:
            cost += _ORPHAN_COST
        if cost < best_cost:
            best, best_cost = index, cost
    return best


def _halve(spoken: SpokenWord, max_units: int) -> tuple[SpokenWord, SpokenWord]:
    """A word that alone is too long, as two; the written form is shared out in proportion."""
    word = spoken.word
    size = len(word.syllables)
    if size < 2:
        raise ValueError(f"max_units must be large enough for one syllable, not {max_units}")
    middle = size // 2
    cut = min(max(1, round(len(word.text) * middle / size)), max(1, len(word.text) - 1))
    half = round(len(word.said) * middle / size)
    first = replace(
        word, text=word.text[:cut], syllables=word.syllables[:middle], break_after=0, said=word.said[:half], marks=""
    )
    second = replace(word, text=word.text[cut:] or word.text, syllables=word.syllables[middle:], said=word.said[half:])
    return SpokenWord(first, spoken.start), SpokenWord(second, spoken.start + cut, spoken.mark)
