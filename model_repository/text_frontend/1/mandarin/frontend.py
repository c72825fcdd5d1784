"""The whole way from text to clauses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from opencc import OpenCC

from . import characters as ch
from .bookmarks import bookmarks
from .breaks import assign_breaks
from .clauses import SpokenWord, pause_after, split_sentence
from .erhua import apply_erhua
from .latin import Latin
from .pronounce import Pronouncer
from .results import BREAK_CLAUSE, BREAK_PHRASE, BREAK_SENTENCE, Analysis, Clause, Notice, TextError, Word
from .sandhi import apply_third_tone, apply_yi_bu
from .scan import Scanner
from .spans import Place, Span, prepare
from .tokens import Mark, Piece, Token

NOTHING = "text has nothing to say: only punctuation or symbols; give some Chinese text, letters or digits"
EMPTY = "text has nothing to say: it is empty; give some Chinese text, letters or digits"
# Characters that OpenCC leaves but that would be read wrongly.
_VARIANTS = str.maketrans({"妳": "你", "祂": "他", "牠": "它", "裏": "里", "麽": "么"})
_OPENERS = frozenset("“‘（(《〈「『【[{〔#@")
_ZHU_WORDS = ("名", "作", "者", "述", "称", "書", "书", "录", "有")


class Frontend:
    """Turns text into clauses of words with syllables, tones and breaks, independent of the voice.

    Loading takes about two seconds; after that `analyze` may be called from several threads.
    """

    def __init__(self) -> None:
        self._latin = Latin()
        self._pronouncer = Pronouncer()
        self._converter = OpenCC("t2s")
        self._lock = threading.Lock()

    def analyze(
        self,
        text: str,
        *,
        unit_count: Callable[[Sequence[Word]], int],
        max_units: int,
        spans: Sequence[Span] = (),
        places: Sequence[Place] = (),
    ) -> Analysis:
        """Analyse a text; every clause costs at most `max_units` by `unit_count`.

        `spans` are stretches of it whose reading is given, in order and apart; `places` become bookmarks of clauses.
        Raises TextError when nothing in the text can be said.
        """
        if not text.strip():
            raise TextError(EMPTY)
        cleaned = prepare(text, spans, places, self._latin)
        scanner = Scanner(cleaned.scanned, self._latin, cleaned.given)
        items = scanner.run()
        if not any(isinstance(item, Piece) for item in items):
            raise TextError(NOTHING)
        clauses: list[Clause] = []
        waiting = list(cleaned.places)
        for sentence, end in self._sentences(items, cleaned.shown):
            pieces = split_sentence(sentence, unit_count, max_units)
            starts = [_before_openers(cleaned.shown, piece[0].start) for piece in pieces]
            starts.append(_before_openers(cleaned.shown, end) if end < len(cleaned.shown) else end)
            for piece, start, stop in zip(pieces, starts[:-1], starts[1:], strict=True):
                written = " ".join(cleaned.shown[start:stop].split()) or "".join(s.word.text for s in piece)
                count = sum(place.at < stop or stop == len(cleaned.shown) for place in waiting)
                named, waiting = bookmarks(waiting[:count], piece), waiting[count:]
                clauses.append(Clause(written, tuple(s.word for s in piece), pause_after(piece[-1].mark), named))
        notices = _notices([*cleaned.skipped, *scanner.skipped], [*cleaned.notices, *scanner.notices])
        return Analysis(tuple(clauses), notices)

    def _sentences(self, items: list[Piece | Mark], text: str) -> Iterator[tuple[list[SpokenWord], int]]:
        """The words of each sentence, and where the next sentence starts in the text."""
        sentence: list[SpokenWord] = []
        stretch: list[Piece] = []
        for index, item in enumerate(items):
            if isinstance(item, Piece):
                if sentence and not stretch and _ends_sentence(sentence[-1].mark):
                    yield sentence, item.start
                    sentence = []
                stretch.append(item)
                continue
            level = _level(item.char, stretch, items, index)
            if stretch and level:
                sentence += self._words(stretch, level, item.char)
                stretch = []
            elif not stretch and sentence and level:
                sentence[-1] = _stronger(sentence[-1], level, item.char)
        if stretch:
            sentence += self._words(stretch, BREAK_SENTENCE, "")
        if sentence:
            yield sentence, len(text)

    def _words(self, stretch: list[Piece], level: int, mark: str) -> list[SpokenWord]:
        """Pronounce a stretch without punctuation."""
        tokens = self._tokens(stretch)
        self._pronouncer.pronounce(tokens)
        tokens = apply_erhua(tokens)
        assign_breaks(tokens)
        apply_yi_bu(tokens)
        apply_third_tone(tokens, self._pronouncer.segmenter)
        tokens[-1].break_after = level
        tokens[-1].mark = mark if level > BREAK_PHRASE else ""
        return list(_regroup(tokens))

    def _tokens(self, stretch: list[Piece]) -> list[Token]:
        """Segment neighbouring Chinese pieces together; a number's parts share a group."""
        tokens: list[Token] = []
        at = 0
        while at < len(stretch):
            reading = stretch[at].reading
            if reading.syllables:
                tokens.append(self._sounding(stretch[at]))
                at += 1
                continue
            run: list[Piece] = []
            while at < len(stretch) and not stretch[at].reading.syllables:
                run.append(stretch[at])
                at += 1
            tokens += self._segment(run, len(tokens))
        return tokens

    def _sounding(self, piece: Piece) -> Token:
        """A token whose syllables are known already."""
        reading = piece.reading
        spoken = self._simplified(reading.spoken) if reading.spoken else ""
        token = Token(piece.start, piece.end, reading.text, spoken, reading.kind, list(reading.syllables))
        token.group, token.given, token.exact = piece.group, bool(spoken), piece.exact
        token.said, token.ending = reading.said, piece.ending
        return token

    def _segment(self, run: list[Piece], first_group: int) -> Iterator[Token]:
        spoken = self._simplified("".join(p.reading.spoken for p in run))
        owners = [number for number, p in enumerate(run) for _ in p.reading.spoken]
        firsts = [0]
        for p in run:
            firsts.append(firsts[-1] + len(p.reading.spoken))
        at = 0
        for word in self._pronouncer.segmenter.cut(spoken):
            # A word never reaches over the edge of a written number.
            while word:
                owner = owners[at]
                size = min(len(word), firsts[owner + 1] - at)
                piece = run[owner]
                if piece.reading.kind == "hanzi" and piece.group < 0:
                    start = piece.start + at - firsts[owner]
                    surface = piece.reading.text[at - firsts[owner] : at - firsts[owner] + size]
                    yield Token(start, start + size, surface, word[:size], "hanzi")
                else:
                    group = piece.group if piece.group >= 0 else first_group + owner
                    yield Token(
                        piece.start,
                        piece.end,
                        piece.reading.text,
                        word[:size],
                        piece.reading.kind,
                        group=group,
                    )
                word = word[size:]
                at += size

    def _simplified(self, text: str) -> str:
        with self._lock:
            converted = self._converter.convert(text).translate(_VARIANTS)
        # The conversion is character by character; should it ever not be, alignment matters more.
        if len(converted) != len(text):
            return text
        chars = [c if ch.is_hanzi(c) else t for c, t in zip(converted, text, strict=True)]
        for at, char in enumerate(chars):
            if char == "著" and at and not "".join(chars[at + 1 : at + 2]).startswith(_ZHU_WORDS):
                chars[at] = "着" if self._pronouncer.segmenter.is_verb(chars[at - 1]) else char
        return "".join(chars)


def _before_openers(text: str, start: int) -> int:
    """Opening quotes and brackets belong to the clause that they open."""
    start = min(start, len(text))
    while start and text[start - 1] in _OPENERS:
        start -= 1
    return start


def _ends_sentence(mark: str) -> bool:
    return mark == "\n" or (mark in ch.SENTENCE_MARKS and bool(mark))


def _level(char: str, stretch: list[Piece], items: list[Piece | Mark], index: int) -> int:
    """The break that a mark makes; 0 when it changes nothing."""
    if char == "\n" or char in ch.SENTENCE_MARKS:
        return BREAK_SENTENCE
    if char in ch.MEDIUM_MARKS or char in ch.SHORT_MARKS or char == "—":
        return BREAK_CLAUSE
    if char != " ":
        return 0
    following = items[index + 1] if index + 1 < len(items) else None
    between_chinese = (
        bool(stretch)
        and stretch[-1].reading.kind == "hanzi"
        and isinstance(following, Piece)
        and following.reading.kind == "hanzi"
    )
    return BREAK_PHRASE if between_chinese else 0


def _stronger(spoken: SpokenWord, level: int, mark: str) -> SpokenWord:
    """The word with the stronger of its mark and one more mark that follows."""
    word = spoken.word
    if level < BREAK_CLAUSE:
        return spoken
    keep = pause_after(spoken.mark) >= pause_after(mark)
    raised = replace(word, break_after=max(level, word.break_after), marks=word.marks + mark)
    return SpokenWord(raised, spoken.start, spoken.mark if keep else mark)


def _regroup(tokens: list[Token]) -> Iterator[SpokenWord]:
    """Words from tokens, the parts of one written number joined again."""
    at = 0
    ended = -1
    while at < len(tokens):
        end = at + 1
        while tokens[at].group >= 0 and end < len(tokens) and tokens[end].group == tokens[at].group:
            end += 1
        part = tokens[at:end]
        syllables = tuple(s for t in part for s in t.syllables)
        last = part[-1]
        blank = " " if last.kind == "latin" and part[0].start > ended else ""
        said = blank + "".join(t.said or t.spoken or t.text for t in part)
        word = Word(last.text, syllables, last.break_after, last.kind, said, last.mark)
        yield SpokenWord(word, part[0].start, last.mark)
        at, ended = end, last.end


def _notices(skipped: list[str], latin: list[Notice]) -> tuple[Notice, ...]:
    counts: dict[str, int] = {}
    for piece in skipped:
        counts[piece] = counts.get(piece, 0) + 1
    out = []
    for piece, count in counts.items():
        times = "" if count == 1 else f" ({count} times)"
        out.append(Notice("skipped", piece, f"{_describe(piece)} cannot be said and was left out{times}."))
    return (*out, *dict.fromkeys(latin))


def _describe(piece: str) -> str:
    """A printable name for characters that may be invisible or broken."""
    shown = "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in piece)
    return f"“{shown}”"
