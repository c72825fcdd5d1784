"""Unicode: one plain spelling per character, its class, and what cannot be said at all."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from pypinyin.constants import PINYIN_DICT

from .data_files import table

# Compatibility forms that NFKC would turn into something that reads differently.
_FIXED = {
    chr(int(code[2:], 16)): {"\\n": "\n", "\\s": " ", "\\e": "\u2028"}.get(plain, plain)
    for code, plain in table("characters.tsv").items()
}
_ROMAN = dict(zip("ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ", "一二三四五六七八九十", strict=True))
_ROMAN.update(zip("ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹ", "一二三四五六七八九十", strict=True))

# U+2028 is the end of a sentence that markup says, without a mark of its own.
SENTENCE_MARKS = frozenset("。！？!?…\u2028")
MEDIUM_MARKS = frozenset("，,；;：:")
SHORT_MARKS = frozenset("、")
# Marks with no sound; they separate words but make no pause of their own.
SILENT_MARKS = frozenset(" '\"“”„‟‛`´()（）[]{}〔〕【】《》〈〉「」『』–—―-·~_|/\\.﹏⸺")
MARKS = SENTENCE_MARKS | MEDIUM_MARKS | SHORT_MARKS | SILENT_MARKS
# What ends the words before it: it is never the beginning of anything.
CLOSING = SENTENCE_MARKS | MEDIUM_MARKS | SHORT_MARKS | frozenset(" \n”’)）]】》〉」』}〕")
# What makes a pause.
PAUSING = SENTENCE_MARKS | MEDIUM_MARKS | SHORT_MARKS | frozenset("\n—")
# Symbols that the scanner knows how to say, at least beside a number.
SPEAKABLE_SYMBOLS = frozenset("%‰+=<>×÷±≤≥≠≈√∞°℃℉¥$€£&@#*²³½¼¾⅓⅔^")
GREEK = table("greek.tsv")
_ZERO_WIDTH = frozenset("\u200b\u200c\u200d\u2060\ufeff\ufe0e\ufe0f")


@dataclass(frozen=True)
class Cleaned:
    """Text in which every character can be scanned, and the pieces that had to be left out of it."""

    text: str
    skipped: tuple[str, ...]


def is_hanzi(char: str) -> bool:
    """Whether this is a Chinese character whose reading is known."""
    return ord(char) in PINYIN_DICT and char not in GREEK and not char.isascii()


def is_letter(char: str) -> bool:
    """Whether this is one of A-Z and a-z."""
    return char.isascii() and char.isalpha()


def is_digit(char: str) -> bool:
    """Whether this is one of 0-9."""
    return char.isascii() and char.isdigit()


@lru_cache(maxsize=8192)
def _plain(char: str) -> str | None:
    """The spelling to scan for one character, or None when it cannot be said."""
    if char == "\n":
        return char
    if char in _FIXED:
        return _FIXED[char] or None
    if char in _ROMAN:
        return _ROMAN[char]
    category = unicodedata.category(char)
    if category in ("Cc", "Cf", "Cs", "Co", "Cn") or char in _ZERO_WIDTH:
        return None
    folded = char if is_hanzi(char) else unicodedata.normalize("NFKC", char)
    # Accents are dropped from Latin letters: café is read like cafe.
    folded = "".join(c for c in unicodedata.normalize("NFD", folded) if not unicodedata.combining(c)) or folded
    folded = "".join(" " if c.isspace() else c for c in unicodedata.normalize("NFC", folded))
    return folded if folded and all(map(_scannable, folded)) else None


def _scannable(char: str) -> bool:
    return (
        is_hanzi(char)
        or is_letter(char)
        or is_digit(char)
        or char in MARKS
        or char in SPEAKABLE_SYMBOLS
        or char.lower() in GREEK
    )


def clean(text: str) -> Cleaned:
    """Fold compatibility forms; replace each run of characters that cannot be said with one blank."""
    kept: list[str] = []
    skipped: list[str] = []
    run: list[str] = []
    for char in _compose(text):
        plain = _plain(char)
        if plain is None:
            run.append(char)
            continue
        _end_run(run, kept, skipped)
        kept.append(plain)
    _end_run(run, kept, skipped)
    return Cleaned("".join(kept), tuple(skipped))


def _end_run(run: list[str], kept: list[str], skipped: list[str]) -> None:
    if not run:
        return
    skipped.append("".join(run))
    # An invisible character may stand inside a word or a number; anything else separates.
    if not all(c in _ZERO_WIDTH or unicodedata.category(c) in ("Cf", "Mn") for c in run):
        kept.append(" ")
    run.clear()


def _compose(text: str) -> str:
    """Join letters and their accents; NFC leaves lone surrogates alone."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def has_words(text: str) -> bool:
    """Whether a text has anything that is always said: a Chinese character, letter or digit."""
    return any(is_hanzi(c) or c.isalnum() for char in text for c in _plain(char) or "")


def is_mute(text: str) -> bool:
    """Whether a text is only punctuation and blanks, which are neither said nor reported."""
    return all(plain is not None and all(c in MARKS or c == "\n" for c in plain) for plain in map(_plain, text))
