"""Characters ↔ rows of the embedding."""

from __future__ import annotations

import torch
from torch import Tensor

from export.style.lexicon import Lexicon, normalised
from export.style.network import CODE_POINTS, UNKNOWN

# How many of the language's most frequent words stand for everything that is not about style.
_NEUTRAL_WORDS = 20_000
# jieba's tags of nouns, names, numerals, pronouns, times, conjunctions and prepositions.
_NAMING_TAGS = ("n", "m", "r", "t", "c", "p")


def code_points(text: str) -> list[int]:
    """The code points of a text, as they are."""
    return [ord(character) for character in text]


def _style_words(lexicon: Lexicon) -> list[str]:
    tables = (lexicon.scales, lexicon.verbs, lexicon.neutrals)
    words = [word for table in tables for group in table.values() for word in group]
    return [word.text for word in (*words, *lexicon.moods, *lexicon.personas)]


def neutral_words(lexicon: Lexicon) -> list[str]:
    """Frequent words, from jieba's dictionary, of two to four characters that contain no word about style.

    One with a character that is such a word by itself is taken only if it is no adjective, adverb or verb: 高铁 and
    多少 are neutral, 高扬 may be a word about style that the lexicon lacks.
    """
    import jieba

    taken = {text for text in _style_words(lexicon) if len(text) > 1}
    loaded = {text for text in _style_words(lexicon) if len(text) == 1}
    counted = []
    with jieba.get_dict_file() as stream:
        for line in stream:
            word, count, tag = line.decode("utf-8").split()
            suspect = bool(loaded & set(word)) and not tag.startswith(_NAMING_TAGS)
            if 2 <= len(word) <= 4 and not suspect and not _contains(word, taken):
                counted.append((-int(count), word))
    return [word for _, word in sorted(counted)[:_NEUTRAL_WORDS]]


def _contains(word: str, taken: set[str]) -> bool:
    return any(word[i:j] in taken for i in range(len(word)) for j in range(i + 2, len(word) + 1))


def vocabulary(lexicon: Lexicon) -> list[str]:
    """Every character of the lexicon and of the grammar's own words, in order."""
    texts = [
        *_style_words(lexicon),
        *(noun for nouns in lexicon.nouns.values() for noun in nouns),
        *(text for degree in lexicon.degrees for text in (degree.before, degree.after)),
        *(text for text, _ in lexicon.negations),
        *(text for row in lexicon.fillers for text in row),
        *(text for frames in lexicon.frames.values() for text in frames),
        *(text for text, _ in lexicon.rates),
        # The grammar's own.
        "快慢高低大小把的地用再比较0123456789abcdefghijklmnopqrstuvwxyz",
    ]
    return sorted(set(normalised("".join(texts))))


def table(known: list[str]) -> Tensor:
    """Code point → row of the embedding, [CODE_POINTS] int32.

    Capital letters and traditional characters share the row of their small and simplified forms.
    """
    import opencc

    rows = {character: UNKNOWN + 1 + number for number, character in enumerate(known)}
    simplify = opencc.OpenCC("t2s").convert
    made = torch.full((CODE_POINTS,), UNKNOWN, dtype=torch.int32)
    for code in range(1, CODE_POINTS):
        if 0xD800 <= code < 0xE000:
            continue
        character = chr(code)
        made[code] = rows.get(character) or rows.get(character.lower()) or UNKNOWN
        if made[code] == UNKNOWN and (0x3400 <= code < 0xA000 or 0xF900 <= code < 0xFB00):
            made[code] = rows.get(simplify(character), UNKNOWN)
    return made
