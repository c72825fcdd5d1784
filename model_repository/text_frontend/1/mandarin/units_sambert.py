"""Encoder for voices of the Sambert family, whose symbols are those of KAN-TTS (Mandarin)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .encoding import EncodedClause, Symbols, number
from .results import Clause, Word
from .syllables import initial_and_final

# The features of a unit that are symbols, in the model's order; the last one is the emotion's intensity in per cent.
FEATURES = ("sy", "tone", "syllable_flag", "word_segment", "emo_category", "speaker_category")
_AS_RECORDED = 100

# A prosodic break of the front end as a symbol. Without a symbol the words around it are one prosodic word.
BREAKS: Mapping[int, str] = {1: "#1", 2: "#2", 3: "#3", 4: "#4"}
# Every recording was labelled to end so, whatever its last mark.
_END = BREAKS[4]

# In the recordings these have no sound of their own, and no more have breaks where nobody paused.
_ZERO_INITIALS = {"a": "ga", "e": "ge", "o": "go"}
# Symbols that the events call as those of the fastspeech2 family.
_LABELS = {"xx": "x", "ih": "iii", "ii": "ii"} | dict.fromkeys(_ZERO_INITIALS.values(), "^")


def split_syllable(pinyin: str, *, erhua: bool = False) -> tuple[str, str]:
    """The two phones of a toneless syllable.

    An r-coloured final is a phone of its own, the final with an r; that of e is er, and er itself has its colour.
    """
    initial, final = initial_and_final(pinyin)
    if not initial:
        initial = _ZERO_INITIALS[final[0]]
    elif final == "i" and initial in ("z", "c", "s"):
        final = "ii"
    elif final == "i" and initial in ("zh", "ch", "sh", "r"):
        final = "ih"
    elif initial == "x":
        initial = "xx"
    if erhua and final != "er":
        final += "r"
    return (initial if initial in _ZERO_INITIALS.values() else f"{initial}_c"), f"{final}_c"


@dataclass(frozen=True)
class SambertUnits:
    """Turns clauses into units of seven features: the phones of each prosodic word, and a break after it.

    `emotion` and `speaker` are names of the voice, `speaker` None where it has no table of them; `intensity` is a
    factor, 1 is as recorded.
    """

    symbols: Symbols
    emotion: str
    speaker: str | None
    intensity: float = 1.0

    def count(self, words: Sequence[Word]) -> int:
        """How many units a clause of these words has."""
        return sum(2 * len(word.syllables) for word in words) + sum(w.break_after in BREAKS for w in words[:-1]) + 1

    def encode(self, clause: Clause) -> EncodedClause:
        """The units of a clause, T x 7: ids of the symbols of `FEATURES` and per cent. Raises `SymbolError`."""
        units = list(self.spell(clause.words))
        spans = []
        at = 0
        for word, after in zip(clause.words, [*clause.words[1:], None], strict=True):
            end = at + 2 * len(word.syllables)
            spans.append((at, end))
            at = end + (after is None or word.break_after in BREAKS)
        starts = [*(first for first, _ in spans), len(units)]
        breaks = {unit for unit, symbols in enumerate(units) if symbols[0] in BREAKS.values()}
        silent = {unit for unit, symbols in enumerate(units) if symbols[0] in _ZERO_INITIALS.values()}
        return EncodedClause(
            ids=np.array([self._ids(symbols, unit in breaks) for unit, symbols in enumerate(units)], dtype=np.int32),
            labels=tuple(_label(phone, tone, flag) for phone, tone, flag, *_ in units),
            word_spans=tuple(spans),
            bookmarks=tuple((mark.name, starts[mark.word] + 2 * mark.syllable) for mark in clause.bookmarks),
            vanishing=tuple(sorted(breaks | silent)),
            closing=len(units) - 1,
        )

    def spell(self, words: Sequence[Word]) -> Iterator[tuple[str, ...]]:
        """The symbols of each unit, by `FEATURES`, as they stand between the $ of a KAN-TTS symbol line."""
        speaker = self.speaker or ""
        for prosodic, end in _prosodic_words(words):
            syllables = [syllable for word in prosodic for syllable in word.syllables]
            last = 2 * len(syllables) - 1
            for index, syllable in enumerate(syllables):
                for offset, phone in enumerate(split_syllable(syllable.pinyin, erhua=syllable.erhua)):
                    place = 2 * index + offset
                    segment = {0: "word_begin", last: "word_end"}.get(place, "word_middle")
                    flag = "s_end" if offset else "s_begin"
                    yield phone, f"tone{syllable.tone}", flag, segment, f"emotion_{self.emotion}", speaker
            yield end, "tone_none", "s_none", "word_none", "emotion_none", speaker

    def _ids(self, symbols: tuple[str, ...], is_break: bool) -> list[int]:
        ids = [
            0 if feature == "speaker_category" and self.speaker is None else number(self.symbols, feature, symbol)
            for feature, symbol in zip(FEATURES, symbols, strict=True)
        ]
        return [*ids, _AS_RECORDED if is_break else round(100 * self.intensity)]


def _prosodic_words(words: Sequence[Word]) -> Iterator[tuple[list[Word], str]]:
    """Words between two breaks, and the symbol of the break after them."""
    group: list[Word] = []
    for index, word in enumerate(words):
        group.append(word)
        end = _END if index == len(words) - 1 else BREAKS.get(word.break_after)
        if end is not None:
            yield group, end
            group = []


def _label(phone: str, tone: str, flag: str) -> str:
    name = phone.removesuffix("_c")
    name = _LABELS.get(name, name)
    return name + tone.removeprefix("tone") if flag == "s_end" else name
