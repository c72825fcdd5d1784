"""Collects what a parser finds into a script: text with short forms, breaks within bounds, notices told once."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable

from mandarin import Notice

from .script import MAX_BREAK, MAX_BREAKS, SENTENCE_END, Item, Manner, MarkupError, Named, Pause, Said, Script
from .short_forms import forms

_MAX_NOTICES = 100
_BLANKS = re.compile(r"[ \t\r\n]+")


class Builder:
    """`data` gives text bit by bit; everything else first needs `end_stretch`, which ends the text before it.

    With `folding`, blanks and line ends are XML's: they separate words at most.
    """

    def __init__(self, manner: Manner, *, folding: bool) -> None:
        self.manner = manner
        self._folding = folding
        self._items: list[Item] = []
        self._notices: dict[str, Notice] = {}
        self._parts: list[tuple[int, int]] = []
        self._text: list[str] = []
        self._size = 0
        self._silence = 0.0

    def data(self, text: str, at: int) -> None:
        """Text that stands at the character `at` of the request's text."""
        self._parts.append((self._size, at))
        self._text.append(text)
        self._size += len(text)

    def end_stretch(self) -> None:
        """Turn the text so far into items. Raises `MarkupError`."""
        text, parts = "".join(self._text), self._parts
        self._text, self._parts, self._size = [], [], 0
        starts = [start for start, _ in parts]

        def place(offset: int) -> int:
            start, at = parts[bisect_right(starts, offset) - 1]
            return at + offset - start

        for form in forms(text):
            if form.seconds is not None:
                self.rest(form.seconds, place(form.start), form.text)
            elif form.pinyin:
                self.say(form.text, place(form.start), "pinyin", form.pinyin)
            elif self._folding:
                self._fold(text, form.start, form.end, place)
            else:
                self.say(form.text, place(form.start))
            if form.doubtful:
                self.tell(form.text, f"{form.text} is not all pinyin with tone digits: it is read as text.")

    def say(self, text: str, at: int, kind: str = "", value: str = "") -> None:
        """Text in the manner of the moment, with a reading if `kind` says so."""
        self._items.append(Said(text, self.manner, at, kind, value))

    def end_sentence(self, at: int, mark: str = SENTENCE_END) -> None:
        """A sentence or paragraph ends here, in the manner of what it ended with."""
        last = self._items[-1] if self._items else None
        if isinstance(last, Said) and last.text != mark:
            self._items.append(Said(mark, last.manner, at))

    def rest(self, seconds: float, at: int, written: str) -> None:
        """An explicit break. Raises `MarkupError` for one that is too long, or too many."""
        if seconds > MAX_BREAK:
            raise MarkupError(f"{written} is longer than {MAX_BREAK:g} s, the longest break: write several")
        self._silence += seconds
        if self._silence > MAX_BREAKS:
            raise MarkupError(f"the breaks of this text are longer than {MAX_BREAKS:g} s: send it in parts")
        self._items.append(Pause(seconds, at))

    def mark(self, name: str, at: int) -> None:
        """A place whose time is wanted."""
        self._items.append(Named(name, at))

    def tell(self, subject: str, message: str) -> None:
        """A notice about markup, told once for each subject."""
        if len(self._notices) >= _MAX_NOTICES:
            subject, message = "…", f"more than {_MAX_NOTICES} things are not honoured: these are the first."
        # Both quote the text: whatever it has, a notice is one line and short.
        subject = " ".join(subject.split())[:80]
        self._notices.setdefault(subject, Notice("markup", subject, " ".join(message.split())))

    def script(self, length: int) -> Script:
        """Everything, for a request's text of so many characters."""
        return Script(tuple(self._items), length, tuple(self._notices.values()))

    def _fold(self, text: str, start: int, end: int, place: Callable[[int], int]) -> None:
        """Text whose runs of blanks are one blank, or none where a line of Chinese was broken."""
        at = start
        for blanks in _BLANKS.finditer(text, start, end):
            if blanks.start() > at:
                self.say(text[at : blanks.start()], place(at))
            at = blanks.end()
            beside = text[max(0, blanks.start() - 1) : blanks.start()] + text[at : at + 1]
            if "\n" not in blanks[0] or not beside or not all(map(_wide, beside)):
                self.say(" ", place(blanks.start()))
        if at < end:
            self.say(text[at:end], place(at))


def _wide(char: str) -> bool:
    """Whether a character is one of Chinese text, which has no blanks between its words."""
    return unicodedata.east_asian_width(char) in "WF"
