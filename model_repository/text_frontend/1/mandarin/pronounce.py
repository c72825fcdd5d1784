"""Readings of Chinese words before sandhi: own phrases, then pypinyin's, then rules for lone characters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

from .data_files import table, words
from .polyphones import Context, lone_character
from .results import Syllable
from .segment import Segmenter
from .syllables import canonical, parse_many
from .tokens import Token


class Pronouncer:
    """Gives each token its syllables."""

    def __init__(self) -> None:
        self._phrases = {word: parse_many(sound) for word, sound in table("phrases.tsv").items()}
        self._neutral = words("neutral.txt")
        self.segmenter = Segmenter(self._phrases)

    def pronounce(self, tokens: Sequence[Token]) -> None:
        """Fill in the syllables of the Chinese tokens of one stretch without punctuation."""
        for index, token in enumerate(tokens):
            if token.syllables:
                continue
            if len(token.spoken) == 1:
                context = Context(tokens, index, self.segmenter)
                token.syllables = [lone_character(context) or self._word(token.spoken)[0]]
            else:
                token.syllables = list(self._word(token.spoken))

    def _word(self, word: str) -> tuple[Syllable, ...]:
        if word in self._phrases:
            return self._phrases[word]
        syllables = _dictionary(word)
        if len(word) > 2 and word[-1] == "地" and word[-2] == word[-3]:
            return (*syllables[:-1], Syllable("de", 5))
        if len(word) == 3 and word.endswith("不得"):
            return (*syllables[:-1], Syllable("de", 5))
        if word in self._neutral:
            return (*syllables[:-1], Syllable(syllables[-1].pinyin, 5))
        return syllables


@lru_cache(maxsize=20000)
def _dictionary(word: str) -> tuple[Syllable, ...]:
    """pypinyin's reading; every character of the word must have one."""
    readings = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False)
    return tuple(
        Syllable(canonical(reading[:-1]), _base_tone(word, at, int(reading[-1]))) for at, reading in enumerate(readings)
    )


def _base_tone(word: str, at: int, tone: int) -> int:
    """Undo what pypinyin's phrases already changed, for the rules here to decide in context."""
    if word[at] == "一":
        return 1
    if word[at] == "不" and tone == 2:
        return 4
    # 跑得快 and its like: a complement, except after what forms a word with 得.
    if word[at] == "得" and len(word) == 3 and at == 1 and word[0] not in "不难所取获赢求夺博应":
        return 5
    return tone
