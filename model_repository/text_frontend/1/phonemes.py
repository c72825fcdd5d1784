"""How a block is read, for people and for a client that sends it back: words, their pinyin, breaks and marks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from mandarin import Notice, Word
from units import Utterance


def describe(utterances: Sequence[Utterance], told: Sequence[Notice] = ()) -> str:
    """JSON of the words.

    Of a word: its `text`; what is `said`, numbers in Chinese characters; its `pinyin`, as it sounds, and the voice's
    `units`, both empty for a voice that reads characters; the `break` after it (0 to 4); the `marks` that follow.
    """
    words = [_word(word, units) for utterance in utterances for word, units in _units(utterance)]
    notices = [asdict(notice) for notice in (*told, *(of for utterance in utterances for of in utterance.notices))]
    return json.dumps({"words": words, "notices": notices}, ensure_ascii=False)


def _units(utterance: Utterance) -> list[tuple[Word, list[str] | None]]:
    """Each word with its units; `None` where nobody knows which those are."""
    encoded = utterance.encoded
    units = [[label for label in encoded.labels[first:last] if label] for first, last in encoded.word_spans]
    return list(zip_longest(utterance.clause.words, units))


def _word(word: Word, units: list[str] | None) -> dict[str, Any]:
    return {
        "text": word.text,
        "said": word.said.strip() or word.text,
        "pinyin": "" if units is None else " ".join(map(str, word.syllables)),
        "units": units or [],
        "break": word.break_after,
        "marks": word.marks,
    }
