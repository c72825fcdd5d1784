"""Cuts cleaned text into Chinese, numbers, Latin, symbols and punctuation, each with its reading."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from . import characters as ch
from .data_files import table
from .latin import Latin, LatinReading
from .number_rules import joiner, read_number, signed
from .results import Notice
from .tokens import Mark, Piece, Reading

# Symbols that are said wherever they stand.
_ALWAYS = table("symbols.tsv")
# Symbols that are said only between what can be compared or multiplied.
_BETWEEN = {"<": "小于", ">": "大于", "*": "乘", "/": "除以", "^": "的幂"}
_TWO_CHAR = {"<=": "小于等于", ">=": "大于等于", "!=": "不等于", "==": "等于"}
_ALONE = {"#": "井号", "¥": "元", "$": "美元", "€": "欧元", "£": "英镑"}
_CURRENCY_CODE = re.compile(r"(?:RMB|CNY|USD|EUR|GBP|JPY|US\$|HK\$)\s?\d", re.ASCII)
_OPERAND_AFTER = re.compile(r"\s?[-+(（√]?[0-9A-Za-zα-ω]")
_OPERAND_BEFORE = re.compile(r"[0-9A-Za-zα-ω)）²³%℃]\s?$")
_DIGIT_AFTER = re.compile(r"\.?\d", re.ASCII)
_CURRENCY_AFTER = re.compile(r"\s?\d", re.ASCII)
_MULTIPLY = re.compile(r"[xX]\s?\d", re.ASCII)
_TERM_BEFORE = re.compile(r"(?<![A-Za-z])(?:[A-Za-z]|[\d.]{1,6}|[)²³])\s?$", re.ASCII)
_TERM_AFTER = re.compile(r"\s?(?:[A-Za-z]|[\d.]{1,6}|\()(?![A-Za-z])\s?([=+×÷<>²]|$|)", re.ASCII)
_OPERATOR_BEFORE = re.compile(r"[=+×÷<>]\s?(?:[A-Za-z]|[\d.]{1,6})\s?$", re.ASCII)
_DAY_BEFORE = re.compile(r"(?:周|星期|礼拜)[一二三四五六日天]$|月$")
_DAY_AFTER = re.compile(r"[周星礼一二三四五六七八九十]")
_ELLIPSIS = re.compile(r"\.{3,}|…+|。{2,}")


class Scanner:
    """One pass over one cleaned text; `run` gives the pieces and marks, `notices` what to report.

    `given` are pieces that are known already, by where they start, and where they end: the text there is not looked at.
    """

    def __init__(self, text: str, latin: Latin, given: Mapping[int, tuple[int, Sequence[Piece]]] | None = None) -> None:
        self._text = text
        self._latin = latin
        self._given = given or {}
        self._items: list[Piece | Mark] = []
        self.notices: list[Notice] = []
        self.skipped: list[str] = []

    def run(self) -> list[Piece | Mark]:
        """Scan the whole text."""
        pos = 0
        while pos < len(self._text):
            pos = self._step(pos)
        return self._items

    def _step(self, pos: int) -> int:
        """Consume at least one character at `pos`; returns where the next begins."""
        text, char = self._text, self._text[pos]
        if pos in self._given:
            end, pieces = self._given[pos]
            self._items += pieces
            return end
        if ch.is_hanzi(char):
            end = pos + 1
            while end < len(text) and ch.is_hanzi(text[end]):
                end += 1
            self._add(pos, end, Reading(text[pos:end], "hanzi", text[pos:end]))
            return end
        if char == "\n":
            return self._mark(pos, "\n")
        if ch.is_digit(char) or ch.is_letter(char):
            return self._alphanumeric(pos)
        if char.lower() in ch.GREEK:
            return self._said(pos, 1, ch.GREEK[char.lower()])
        if char in "¥$€£" and _CURRENCY_AFTER.match(text, pos + 1):
            return self._number(pos)
        if match := _ELLIPSIS.match(text, pos):
            self._mark(pos, "…")
            return match.end()
        if char in "-+~—.":
            return self._sign(pos)
        return self._symbol(pos)

    def _alphanumeric(self, pos: int) -> int:
        text = self._text
        if address := self._latin.read_address(text, pos):
            return self._said_latin(pos, address)
        if ch.is_digit(text[pos]) or _CURRENCY_CODE.match(text, pos):
            return self._number(pos)
        if _MULTIPLY.match(text, pos) and _DIGIT_AFTER.match(text[max(0, pos - 2) : pos].strip()[-1:]):
            return self._said(pos, 1, "乘")
        word = self._latin.read_word(text, pos)
        assert word is not None, "a letter always starts a word"
        return self._said_latin(pos, word)

    def _number(self, pos: int, *, sign: str = "", said: str = "") -> int:
        found = read_number(self._text, pos)
        if found is None:
            return self._symbol(pos)
        readings, end = found
        start = pos - len(sign)
        for reading in signed(readings, sign, said) if sign else readings:
            self._add(start, start + len(reading.text), reading)
            start += len(reading.text)
        return end

    def _sign(self, pos: int) -> int:
        """A dash, plus, tilde or full stop, which may belong to a number."""
        text, char = self._text, self._text[pos]
        before = text[pos - 1] if pos else " "
        digit_next = _DIGIT_AFTER.match(text, pos + 1) is not None
        if char == ".":
            if digit_next and not ch.is_digit(before) and not ch.is_letter(before):
                return self._number(pos)
            return self._full_stop(pos)
        if char == "+":
            if text.startswith("+86", pos) or not digit_next or before.isalnum() or before in ")）=":
                found = read_number(text, pos) if digit_next else None
                return self._number(pos) if found else self._said(pos, 1, "加")
            return self._number(pos + 1, sign="+", said="正")
        if _OPERAND_AFTER.match(text, pos + 1) and (said := joiner(text, pos)):
            width = 2 if text.startswith(("--", "——"), pos) else 1
            return self._said(pos, width, said)
        if char == "-" and digit_next and not before.isascii():
            return self._number(pos + 1, sign="-", said="负")
        if char == "-" and digit_next and not before.isalnum() and before not in ")-":
            return self._number(pos + 1, sign="-", said="负")
        if char == "-" and self._in_equation(pos):
            return self._said(pos, 1, "减")
        if _DAY_BEFORE.search(text[max(0, pos - 4) : pos]) and _DAY_AFTER.match(text, pos + 1):
            return self._said(pos, 1, "到")
        end = pos + 1
        while end < len(text) and text[end] == char:
            end += 1
        self._mark(pos, "—" if char == "—" or end - pos > 1 else char)
        return end

    def _in_equation(self, pos: int) -> bool:
        """Whether an operator beside its operands makes a hyphen a minus."""
        if not _TERM_BEFORE.search(self._text[max(0, pos - 8) : pos]):
            return False
        after = _TERM_AFTER.match(self._text, pos + 1)
        before = _OPERATOR_BEFORE.search(self._text[max(0, pos - 8) : pos])
        return after is not None and (after[1] != "" or before is not None)

    def _full_stop(self, pos: int) -> int:
        text = self._text
        before = text[pos - 1] if pos else " "
        after = text[pos + 1] if pos + 1 < len(text) else " "
        if ch.is_letter(after) and (ch.is_letter(before) or ch.is_digit(before)):
            return self._said(pos, 1, "点")
        if ch.is_digit(before) and after == " ":
            return self._mark(pos, "，")  # the number of a list item
        return self._mark(pos, "。" if after.isspace() or not after.isascii() or after in "\"')" else ".")

    def _symbol(self, pos: int) -> int:
        text, char = self._text, self._text[pos]
        operands = bool(_OPERAND_BEFORE.search(text[max(0, pos - 2) : pos]))
        if operands and (said := _TWO_CHAR.get(text[pos : pos + 2])) and _OPERAND_AFTER.match(text, pos + 2):
            return self._said(pos, 2, said)
        if operands and char in _BETWEEN and _OPERAND_AFTER.match(text, pos + 1) and self._comparable(pos):
            return self._said(pos, 1, _BETWEEN[char])
        if char in _ALWAYS:
            return self._said(pos, 1, _ALWAYS[char])
        if char == "#" and _DIGIT_AFTER.match(text, pos + 1):
            return self._said(pos, 1, _ALONE[char])
        if char in "¥$€£" and pos and ch.is_digit(text[pos - 1]):
            return self._said(pos, 1, _ALONE[char])
        if char in ch.MARKS:
            return self._mark(pos, char)
        self.skipped.append(char)
        return self._mark(pos, " ")

    def _comparable(self, pos: int) -> bool:
        """A slash divides only in an equation; elsewhere it separates, as in A/B."""
        return self._text[pos] != "/" or "=" in self._text[pos : pos + 12]

    def _mark(self, pos: int, char: str) -> int:
        self._items.append(Mark(pos, char))
        return pos + 1

    def _said(self, pos: int, width: int, spoken: str) -> int:
        self._add(pos, pos + width, Reading(self._text[pos : pos + width], "symbol", spoken))
        return pos + width

    def _said_latin(self, pos: int, found: LatinReading) -> int:
        start = pos
        for reading in found.readings:
            self._add(start, start + len(reading.text), reading)
            start += len(reading.text)
        self.notices += found.notices
        return found.end

    def _add(self, start: int, end: int, reading: Reading) -> None:
        self._items.append(Piece(start, end, reading))
