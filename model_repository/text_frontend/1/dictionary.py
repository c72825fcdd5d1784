"""Words with readings of the user's own: those of a request, and those of the server's file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mandarin import Notice, Span, parse_pinyin

MAX_ENTRIES = 1000
MAX_WORD = 64
MAX_READING = 256
# More than so many entries can need.
_MAX_SIZE = MAX_ENTRIES * (MAX_WORD + MAX_READING + 16)

# What looks like this is meant as pinyin; anything else is text to be read instead.
_PINYIN = re.compile(r"[a-zü:]+\d(?:\s+[a-zü:]+\d)*")
_ADVICE = 'write {"重庆": "chong2 qing4", "AI": "人工智能"}'


class DictionaryError(ValueError):
    """A dictionary that cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True)
class _Given:
    """How a word is read; see `mandarin.Span`."""

    kind: str
    value: str


class Dictionary:
    """Words and their readings; the longest that fits wins."""

    def __init__(self, words: Mapping[str, _Given]) -> None:
        self._words = dict(words)
        lengths: dict[str, set[int]] = {}
        for word in self._words:
            lengths.setdefault(word[0], set()).add(len(word))
        self._lengths = {first: sorted(sizes, reverse=True) for first, sizes in lengths.items()}

    def over(self, other: Dictionary) -> Dictionary:
        """Both; where both have a word, the reading is this one's."""
        return Dictionary(other._words | self._words) if self._words else other

    def spans(self, text: str, taken: Sequence[Span] = ()) -> list[Span]:
        """The words that a text has, from its start on, outside the spans that it has already."""
        if not self._words:
            return []
        edges = [0, *(edge for span in taken for edge in (span.start, span.end)), len(text)]
        return [
            span for start, end in zip(edges[::2], edges[1::2], strict=True) for span in self._find(text, start, end)
        ]

    def _find(self, text: str, start: int, end: int) -> Iterator[Span]:
        at = start
        while at < end:
            for length in self._lengths.get(text[at], ()):
                found = self._words.get(text[at : at + length])
                if found and at + length <= end and _whole(text, at, at + length):
                    yield Span(at, at + length, found.kind, found.value)
                    at += length
                    break
            else:
                at += 1


def _whole(text: str, start: int, end: int) -> bool:
    """Whether a word does not stand inside a longer one or a number of the Latin kind."""
    return not (_same(text[start - 1 : start], text[start]) or _same(text[end - 1], text[end : end + 1]))


def _same(left: str, right: str) -> bool:
    if not (left and right and left.isascii() and right.isascii()):
        return False
    return (left.isalpha() and right.isalpha()) or (left.isdigit() and right.isdigit())


def parse_dictionary(text: str) -> Dictionary:
    """The dictionary of a request, a JSON object. Raises `DictionaryError`."""
    words, wrong = _entries(_content(text))
    if wrong:
        raise DictionaryError(f"DICTIONARY {wrong[0]}")
    return Dictionary(words)


def _content(text: str) -> dict[str, Any]:
    if len(text) > _MAX_SIZE:
        raise DictionaryError(f"DICTIONARY has {len(text)} characters, the most is {_MAX_SIZE}: send fewer entries")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DictionaryError(f"DICTIONARY is not JSON ({error}): {_ADVICE}") from error
    if not isinstance(content, dict):
        raise DictionaryError(f"DICTIONARY must be a JSON object: {_ADVICE}")
    if len(content) > MAX_ENTRIES:
        raise DictionaryError(f"DICTIONARY has {len(content)} entries, the most is {MAX_ENTRIES}: leave some out")
    return content


def _entries(content: Mapping[str, Any]) -> tuple[dict[str, _Given], list[str]]:
    """The entries that can be used, and what is wrong with the others."""
    words: dict[str, _Given] = {}
    wrong: list[str] = []
    for word, reading in content.items():
        problem = _problem(word, reading)
        if problem:
            wrong.append(f"entry {json.dumps(word[:MAX_WORD], ensure_ascii=False)}: {problem}")
            continue
        sounds = " ".join(reading.split())
        words[word] = _Given("citation" if _PINYIN.fullmatch(sounds) else "text", sounds)
    return words, wrong


def _problem(word: str, reading: Any) -> str:
    """What is wrong with an entry, or nothing."""
    if not word.strip() or word != word.strip() or len(word) > MAX_WORD or not word.isprintable():
        return f"the word must have 1 to {MAX_WORD} printable characters and no blanks around it"
    if not isinstance(reading, str) or not reading.strip() or len(reading) > MAX_READING:
        return f"the reading must be a text of 1 to {MAX_READING} characters: {_ADVICE}"
    if not _PINYIN.fullmatch(reading.strip()):
        return ""
    syllable = next((part for part in reading.split() if parse_pinyin(part) is None), "")
    return syllable and f"'{syllable}' is no pinyin syllable with a tone from 1 to 5: correct it"


class DictionaryFile:
    """The server's dictionary, read again whenever its file changes; without a file it is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._read: tuple[Dictionary, tuple[Notice, ...]] = (Dictionary({}), ())

    def get(self) -> tuple[Dictionary, tuple[Notice, ...]]:
        """The entries that can be used, and a notice when some or all cannot."""
        try:
            status = self._path.stat()
        except OSError:
            self._stamp = None
            return Dictionary({}), ()
        stamp = status.st_mtime_ns, status.st_size
        if stamp != self._stamp:
            self._read, self._stamp = self._load(), stamp
        return self._read

    def _load(self) -> tuple[Dictionary, tuple[Notice, ...]]:
        name = self._path.name
        try:
            words, wrong = _entries(_content(self._path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, DictionaryError) as error:
            reason = str(error).replace("DICTIONARY", "it")
            return Dictionary({}), (Notice("dictionary", name, f"the server's {name} was not used: {reason}"),)
        if not wrong:
            return Dictionary(words), ()
        message = f"{len(wrong)} entries of the server's {name} were not used; {wrong[0]}"
        return Dictionary(words), (Notice("dictionary", name, message),)
