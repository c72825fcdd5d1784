"""Encoder for voices whose language model reads text (the sculptor family): clauses into the ids of text tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .encoding import EncodedClause, SymbolError
from .results import BREAK_SENTENCE, Clause, Word

# The most characters that the language model is given at once.
MOST_CHARACTERS = 200
# Ends of lines and sentences that have no mark of their own.
_UNMARKED = frozenset("\n\u2028")
# A mark between two words of Latin letters is one of their own language.
_LATIN_MARK = re.compile(r"(?<=[!-~])[，。！？；：](?=\s[!-~])")
_LATIN_MARKS = dict(zip("，。！？；：", ",.!?;:", strict=True))
# Blanks separate letters from letters; beside anything else they say nothing.
_IDLE_BLANK = re.compile(r"(?<![!-~])\s+|\s+(?![!-~])")


def spoken_text(words: Iterable[Word]) -> str:
    """What is read: numbers and symbols in Chinese characters, Latin as letters, the marks that make pauses."""
    parts: list[str] = []
    for word in words:
        parts += (word.said, _mark(word))
    text = _LATIN_MARK.sub(lambda mark: _LATIN_MARKS[mark[0]], "".join(parts))
    text = _IDLE_BLANK.sub("", text)
    if not text or text[-1] in "。！？!?…":
        return text
    # The language model stops best after a mark; a text cut in mid-sentence is not to sound as if it ended there.
    return text.rstrip("，,、；;：:—") + ("。" if word.break_after >= BREAK_SENTENCE else "，")


@dataclass(frozen=True)
class SculptorUnits:
    """Turns clauses into text tokens; `tokenize` gives the ids of a text, none of which is a control token's.

    A clause has up to `most` of them, and up to `MOST_CHARACTERS` characters.
    """

    tokenize: Callable[[str], Sequence[int]]
    most: int

    def count(self, words: Sequence[Word]) -> int:
        """How much of `most` these words take: their tokens, or as much as their characters take of theirs."""
        text = spoken_text(words)
        return max(len(self.tokenize(text)), -(-len(text) * self.most // MOST_CHARACTERS))

    def encode(self, clause: Clause) -> EncodedClause:
        """The units of a clause, T x 1: ids. Raises `SymbolError`.

        What of it is heard when is not known: a bookmark is at its start or its end.
        """
        ids = list(self.tokenize(spoken_text(clause.words)))
        if not ids:
            raise SymbolError(f"the voice's tokenizer has no token for '{clause.text[:40]}': export the voice again")
        marks = ((mark.name, len(ids) if mark.word >= len(clause.words) else 0) for mark in clause.bookmarks)
        return EncodedClause(np.array(ids, dtype=np.int32)[:, None], (), (), bookmarks=tuple(marks))

    def joined(self, clauses: Iterable[Clause]) -> Iterator[Clause]:
        """Neighbouring clauses as one wherever both fit: the language model phrases best what it sees as a whole.

        A bookmark at a clause's edge keeps it apart, so that its time is known.
        """
        clause: Clause | None = None
        for following in clauses:
            if clause is not None and self._fits(clause, following):
                blank = " " if clause.text[-1:].isascii() and following.text[:1].isascii() else ""
                clause = replace(
                    clause,
                    text=clause.text + blank + following.text,
                    words=(*clause.words, *following.words),
                    pause=following.pause,
                )
                continue
            if clause is not None:
                yield clause
            clause = following
        if clause is not None:
            yield clause

    def _fits(self, clause: Clause, following: Clause) -> bool:
        ends = any(mark.word >= len(clause.words) for mark in clause.bookmarks)
        return not ends and not following.bookmarks and self.count((*clause.words, *following.words)) <= self.most


def _mark(word: Word) -> str:
    """The punctuation mark that is read behind a word: the first of those there are."""
    marks = [mark for mark in word.marks if mark not in _UNMARKED]
    return marks[0] if marks else "。" if word.marks else ""
