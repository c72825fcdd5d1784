"""SubRip subtitles from the times of clauses and words."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ._models import Clause

MAX_WIDTH = 20.0
"""Widest cue, in Chinese characters; a narrow character counts half."""

_OPENING = "“‘《〈「『（【([{<\"'"


@dataclass(frozen=True)
class Cue:
    """A subtitle; ``start`` and ``end`` are seconds."""

    text: str
    start: float
    end: float


def width(text: str) -> float:
    """The width of ``text`` in Chinese characters."""
    return sum(1.0 if unicodedata.east_asian_width(char) in "WF" else 0.5 for char in text)


def srt(clauses: Iterable[Clause]) -> str:
    """Subtitles for ``clauses``: in order, not overlapping, long clauses broken at punctuation."""
    blocks: list[str] = []
    previous = 0
    for cue in (cue for clause in clauses for cue in cues(clause)):
        start = max(previous, round(cue.start * 1000))
        previous = max(start + 1, round(cue.end * 1000))
        blocks.append(f"{len(blocks) + 1}\n{_stamp(start)} --> {_stamp(previous)}\n{cue.text}\n")
    return "\n".join(blocks)


def cues(clause: Clause) -> list[Cue]:
    """The subtitles of one clause: all of its text but white space and lone punctuation."""
    found: list[Cue] = []
    for phrase in _phrases(_pieces(clause)):
        text = " ".join("".join(piece.text for piece in phrase).split())
        if any(char.isalnum() for char in text):
            found.append(Cue(text, phrase[0].start, phrase[-1].end))
        elif text and found and width(found[-1].text + text) <= MAX_WIDTH:
            found[-1] = Cue(found[-1].text + text, found[-1].start, found[-1].end)
    return found


def _stamp(milliseconds: int) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02},{milliseconds:03}"


def _pieces(clause: Clause) -> list[Cue]:
    """The clause's text cut after each word and its punctuation, no piece wider than a cue.

    A word need not occur in the text (a number is spoken as words): the text up to the next word that does
    occur goes with it.
    """
    pieces: list[Cue] = []
    waiting: tuple[float, float] | None = None  # times of words not found in the text
    cursor = 0
    for word in clause.words:
        at = clause.text.find(word.text, cursor) if word.text.strip() else -1
        if at < 0:
            waiting = (waiting[0] if waiting else word.start, word.end)
            continue
        gap, lead = clause.text[cursor:at], ""
        if waiting and gap:
            pieces.append(Cue(gap, *waiting))
        elif pieces:
            closing = gap.rstrip(_OPENING)
            lead = gap[len(closing) :]
            pieces[-1] = Cue(pieces[-1].text + closing, pieces[-1].start, pieces[-1].end)
        else:
            lead = gap
        waiting = None
        cursor = at + len(word.text)
        pieces.append(Cue(lead + word.text, word.start, word.end))
    rest = clause.text[cursor:]
    if not pieces:
        pieces.append(Cue(rest, clause.start, clause.end))
    elif waiting:
        pieces.append(Cue(rest, *waiting))
    else:
        pieces[-1] = Cue(pieces[-1].text + rest, pieces[-1].start, pieces[-1].end)
    return [part for piece in pieces for part in _narrow(piece)]


def _narrow(piece: Cue) -> list[Cue]:
    """``piece`` cut into parts that fit, each with its share of the time."""
    total = width(piece.text)
    if total <= MAX_WIDTH:
        return [piece]
    parts = []
    done = 0.0
    rest = piece.text
    while rest:
        size = _fitting(rest)
        part, rest = rest[:size], rest[size:]
        start = piece.start + (piece.end - piece.start) * done / total
        done += width(part)
        parts.append(Cue(part, start, piece.start + (piece.end - piece.start) * done / total))
    return parts


def _fitting(text: str) -> int:
    """How many characters of ``text`` go in one cue: up to a space or punctuation in the second half."""
    used = 0.0
    size = len(text)
    for index, char in enumerate(text):
        used += width(char)
        if used > MAX_WIDTH:
            size = index
            break
    if size < len(text):
        for index in range(size, size // 2, -1):
            if not text[index - 1].isalnum():
                return index
    return size


def _phrases(pieces: Sequence[Cue]) -> list[list[Cue]]:
    """``pieces`` grouped into cues: as few as fit, broken after punctuation first and evenly within."""
    phrases: list[list[Cue]] = []
    for segment in _segments(pieces):
        if phrases and _wide(phrases[-1]) + _wide(segment) <= MAX_WIDTH:
            phrases[-1] = phrases[-1] + segment
            continue
        target = _wide(segment) / math.ceil(_wide(segment) / MAX_WIDTH)
        line: list[Cue] = []
        for piece in segment:
            if line and (_wide(line) >= target or _wide([*line, piece]) > MAX_WIDTH):
                phrases.append(line)
                line = []
            line.append(piece)
        phrases.append(line)
    return phrases


def _segments(pieces: Sequence[Cue]) -> list[list[Cue]]:
    """``pieces`` cut after each one that ends in punctuation."""
    segments: list[list[Cue]] = [[]]
    for piece in pieces:
        if not piece.text:
            continue
        segments[-1].append(piece)
        if unicodedata.category(piece.text.rstrip()[-1:] or " ").startswith("P"):
            segments.append([])
    return [segment for segment in segments if segment]


def _wide(pieces: Sequence[Cue]) -> float:
    return width("".join(piece.text for piece in pieces))
