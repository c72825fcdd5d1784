"""Digits as Chinese numerals."""

from __future__ import annotations

DIGITS = "零一二三四五六七八九"
_SMALL = ("", "十", "百", "千")
_BIG = ("", "万", "亿", "万亿")
MAX_CARDINAL = 16


def digits(text: str, *, telephone: bool = False) -> str:
    """Each digit by itself; on the telephone 1 is 幺."""
    spoken = "".join(DIGITS[int(c)] for c in text)
    return spoken.replace("一", "幺") if telephone else spoken


def cardinal(text: str) -> str:
    """An integer of up to 16 digits as a quantity: 1200 is 一千二百, 10 is 十."""
    text = text.lstrip("0") or "0"
    if len(text) > MAX_CARDINAL:
        return digits(text)
    if text == "0":
        return DIGITS[0]
    groups: list[str] = []
    while text:
        groups.append(text[-4:])
        text = text[:-4]
    spoken = ""
    skipped_zero = False
    for index in range(len(groups) - 1, -1, -1):
        group = groups[index].zfill(4)
        if group == "0000":
            skipped_zero = bool(spoken)
            continue
        if spoken and (skipped_zero or group[0] == "0"):
            spoken += DIGITS[0]
        # 万亿 closes a number; before further 亿 it is only 万.
        in_between = index == 3 and groups[2].strip("0")
        spoken += _group(group) + ("万" if in_between else _BIG[index])
        skipped_zero = False
    return spoken[1:] if spoken.startswith("一十") else spoken


def _group(group: str) -> str:
    """Four digits, zero-filled on the left, not all zero."""
    spoken = ""
    zero = False
    for place, char in zip((3, 2, 1, 0), group, strict=True):
        if char == "0":
            zero = bool(spoken)
            continue
        if zero:
            spoken += DIGITS[0]
        spoken += DIGITS[int(char)] + _SMALL[place]
        zero = False
    return spoken


def quantity(text: str) -> str:
    """A number with an optional sign, thousands separators and decimals: -1,234.5 is 负一千二百三十四点五."""
    sign = "负" if text.startswith("-") else "正" if text.startswith("+") else ""
    whole, _, fraction = text.lstrip("+-").replace(",", "").partition(".")
    return sign + cardinal(whole or "0") + (f"点{digits(fraction)}" if fraction else "")


def counting(spoken: str) -> str:
    """The form before a measure word: 二 is 两, alone and before 百, 千, 万 and 亿."""
    if spoken == "二":
        return "两"
    if spoken.startswith("二") and len(spoken) > 1 and spoken[1] in "千万亿":
        return "两" + spoken[1:]
    return spoken
