"""Text that is said to be a date, a time, a number …, read as that."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from .characters import clean, is_digit, is_hanzi, is_letter
from .data_files import table
from .latin import spell
from .number_rules import clock, digit_groups, is_day, read_number
from .numerals import DIGITS, cardinal, counting, digits, quantity
from .tokens import Reading

# What SSML's interpret-as may be, and what it is called here.
SAY_AS = {
    "cardinal": "cardinal",
    "number": "cardinal",
    "ordinal": "ordinal",
    "digits": "digits",
    "number_digit": "digits",
    "telephone": "telephone",
    "characters": "characters",
    "spell-out": "characters",
    "verbatim": "characters",
    "date": "date",
    "time": "time",
    "currency": "currency",
    "money": "currency",
}

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)", re.ASCII)
_PRICE = re.compile(r"(?:元|人民币|CNY|RMB)?\s?(?P<n>\d+(?:,\d{3})*(?:\.\d+)?)\s?(?:元|人民币)?", re.ASCII)
_DATE = re.compile(r"\d{1,4}(?:[-/.年月\s]+\d{1,4}){0,2}[日号年月]?|\d{6}|\d{8}", re.ASCII)
_TIME = re.compile(
    r"(?P<h>\d{1,2})[:：时点](?P<m>\d\d)分?(?:[:：]?(?P<s>\d\d)秒?)?(?:\s?(?P<half>[aApP])\.?[mM]\.?)?", re.ASCII
)
_TELEPHONE = re.compile(r"\+?[\d\s()（）-]*\d[\d\s()（）-]*", re.ASCII)
_FORMS = re.compile(r"y?m?d?|d?my?|mdy|ydm")
_SYMBOLS = {**table("symbols.tsv"), **table("address_symbols.tsv")}


def say_as(kind: str, text: str, form: str = "") -> list[Reading] | None:
    """The readings of a text as one of the kinds in `SAY_AS`, or None when it is none; `form` is a date's, like `mdy`.

    Each reading is a word of its own; their texts are pieces of the text.
    """
    plain = clean(text).text.strip()
    return _READERS[kind](text, plain, form)


def _one(text: str, spoken: str) -> list[Reading]:
    return [Reading(text, "number", spoken)]


def _cardinal(text: str, plain: str, form: str) -> list[Reading] | None:
    return _one(text, quantity(plain)) if _NUMBER.fullmatch(plain) else None


def _ordinal(text: str, plain: str, form: str) -> list[Reading] | None:
    number = plain.removeprefix("第")
    return _one(text, "第" + quantity(number)) if _INTEGER.fullmatch(number) else None


def _digits(text: str, plain: str, form: str) -> list[Reading] | None:
    groups = re.split(r"[\s,-]+", plain)
    if not all(re.fullmatch(r"\d+", group, re.ASCII) for group in groups):
        return None
    return [reading for group in groups for reading in digit_groups(group, telephone=False)]


def _telephone(text: str, plain: str, form: str) -> list[Reading] | None:
    if not _TELEPHONE.fullmatch(plain):
        return None
    out = [Reading("+", "number", "加")] if plain.startswith("+") else []
    groups = re.findall(r"\d+", plain, re.ASCII)
    # A mobile number in one piece is said in three.
    mobile = len(groups[-1]) == 11 and groups[-1].startswith("1")
    for group in groups[:-1]:
        out += digit_groups(group)
    return out + digit_groups(groups[-1], (3, 4) if mobile else ())


def _characters(text: str, plain: str, form: str) -> list[Reading] | None:
    out: list[Reading] = []
    for char in plain:
        if is_letter(char):
            out.append(replace(spell(char), said=f" {char}"))
        elif is_digit(char):
            out.append(Reading(char, "number", DIGITS[int(char)]))
        elif is_hanzi(char):
            out.append(Reading(char, "hanzi", char))
        elif char in _SYMBOLS:
            out.append(Reading(char, "symbol", _SYMBOLS[char]))
    return out or None


def _date(text: str, plain: str, form: str) -> list[Reading] | None:
    if not _DATE.fullmatch(plain):
        return None
    parts = re.findall(r"\d+", plain, re.ASCII)
    if len(parts) == 1 and len(plain) == len(parts[0]) in (6, 8):
        # 20240305 and 202403.
        parts = [part for part in (plain[:4], plain[4:6], plain[6:]) if part]
    order = form.lower() if len(form) == len(parts) and _FORMS.fullmatch(form.lower()) else _order(parts, plain)
    named = dict(zip(order, parts, strict=True))
    if len(named) < len(parts) or not is_day(named.get("m", "1"), named.get("d", "1")):
        return None
    spoken = f"{digits(named['y'])}年" if "y" in named else ""
    spoken += f"{cardinal(named['m'])}月" if "m" in named else ""
    spoken += f"{cardinal(named['d'])}日" if "d" in named else ""
    return _one(text, spoken)


def _order(parts: list[str], plain: str) -> str:
    """Which part is what when nobody says: a year has four digits, or else stands first, as in Chinese."""
    if len(parts) == 3:
        if len(parts[2]) == 4:
            return "dmy" if int(parts[0]) > 12 else "mdy"
        return "ymd"
    if len(parts) == 2:
        return "ym" if len(parts[0]) == 4 else "my" if len(parts[1]) == 4 else "md"
    return "m" if plain.endswith("月") else "d" if plain.endswith(("日", "号")) else "y"


def _time(text: str, plain: str, form: str) -> list[Reading] | None:
    found = _TIME.fullmatch(plain)
    spoken = clock(found["h"], found["m"], found["s"], found["half"]) if found else None
    return _one(text, spoken) if spoken else None


def _currency(text: str, plain: str, form: str) -> list[Reading] | None:
    if found := _PRICE.fullmatch(plain):
        number = found["n"].rstrip("0").rstrip(".") if "." in found["n"] else found["n"]
        return _one(text, counting(quantity(number)) + "元")
    number = read_number(plain, 0)
    if number is None or number[1] != len(plain) or not plain.strip("0123456789.,"):
        return None
    return [Reading(text, "number", "".join(reading.spoken for reading in number[0]))]


_READERS: dict[str, Callable[[str, str, str], list[Reading] | None]] = {
    "cardinal": _cardinal,
    "ordinal": _ordinal,
    "digits": _digits,
    "telephone": _telephone,
    "characters": _characters,
    "date": _date,
    "time": _time,
    "currency": _currency,
}
