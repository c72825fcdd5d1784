"""Words of Chinese text, from jieba's dictionary and the front end's own phrases."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Collection

with warnings.catch_warnings():
    # jieba 0.42.1 has invalid escapes, which Python reports whenever it compiles the module.
    warnings.simplefilter("ignore")
    import jieba

_COUNTED = re.compile("第?[一二三四五六七八九十百]+[行只种重]")
# jieba's dictionary lists compounds from glossaries with this count: nobody counted them in a text. Where both halves
# are common words, those are the words, and have the better readings: 今天天气, 儿童音乐.
_UNCOUNTED = 3
_COMMON = 1000
# Its reading depends on the other half: 不良分子, 化学分子.
_UNSURE = "分子"


class Segmenter:
    """Dictionary segmentation without jieba's cache file, its log lines or its guesses about unknown words.

    jieba would keep a cache at a predictable place in the temporary folder; building the table takes about a
    second and needs no writable disk. Words outside the dictionary stay single characters: a guessed word
    would hide the particles whose reading depends on their neighbours.
    """

    def __init__(self, phrases: Collection[str]) -> None:
        logging.getLogger("jieba").setLevel(logging.WARNING)
        self._tokenizer = jieba.Tokenizer()
        self._tokenizer.FREQ, self._tokenizer.total = self._tokenizer.gen_pfdict(self._tokenizer.get_dict_file())
        self._tokenizer.initialized = True
        for phrase in phrases:
            self._tokenizer.suggest_freq(phrase, tune=True)
        self._phrases = frozenset(phrases)
        self._verbs, self._adjectives = self._tagged()

    def cut(self, text: str) -> list[str]:
        """The words of a run of simplified characters; together they are the text."""
        words: list[str] = []
        for word in self._tokenizer.cut(text, HMM=False):
            # 三行 and 五只 are in the dictionary, but their measure word is to be read by context.
            if word not in self._phrases and _COUNTED.fullmatch(word):
                words += (word[:-1], word[-1])
            elif word not in self._phrases and self._is_collocation(word):
                words += (word[:2], word[2:])
            else:
                words.append(word)
        return words

    def knows(self, word: str) -> bool:
        """Whether this is a word of the dictionary."""
        return bool(self._tokenizer.FREQ.get(word))

    def frequency(self, word: str) -> int:
        """How often the dictionary's corpus had the word; 0 when unknown."""
        return int(self._tokenizer.FREQ.get(word) or 0)

    def is_verb(self, word: str) -> bool:
        """Whether the word is chiefly a verb."""
        return word in self._verbs

    def is_adjective(self, word: str) -> bool:
        """Whether the word is chiefly an adjective."""
        return word in self._adjectives

    def _is_collocation(self, word: str) -> bool:
        if len(word) != 4 or self.frequency(word) > _UNCOUNTED or _UNSURE in word:
            return False
        return min(self.frequency(word[:2]), self.frequency(word[2:])) >= _COMMON

    def _tagged(self) -> tuple[frozenset[str], frozenset[str]]:
        verbs, adjectives = set(), set()
        with self._tokenizer.get_dict_file() as lines:
            for line in lines:
                word, _, tag = line.decode("utf-8").split()
                if tag in ("v", "vi", "vg"):
                    verbs.add(word)
                elif tag in ("a", "ad", "z", "d"):
                    adjectives.add(word)
        return frozenset(verbs), frozenset(adjectives)
