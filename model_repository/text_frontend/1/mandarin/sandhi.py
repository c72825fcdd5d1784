"""Tone sandhi: 一 and 不, doubled verbs, and third tones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .data_files import words
from .results import BREAK_PHRASE, Syllable
from .segment import Segmenter
from .tokens import Token

_DIGITS = frozenset("零〇一二两三四五六七八九幺")
_MAGNITUDES = frozenset("十百千万亿")
# 一 keeps its first tone before these: it names, rather than counts.
_NAMED_BY_ONE = ("月", "号", "楼", "级", "等", "班", "流", "年级")
# 不 in the middle of three characters is light (看不见), unless it belongs to what follows (并不是).
_WHOLE_WITH_BU = words("bu_words.txt")
_LIGHT_WHEN_DOUBLED = words("light_doubles.txt")


def apply_yi_bu(tokens: Sequence[Token]) -> None:
    """Tones of 一 and 不 in one stretch; tones already changed by a phrase entry are left."""
    places = [(t, i) for t in tokens for i in range(len(t.syllables))]
    chars = [t.spoken[i] if i < len(t.spoken) and t.kind != "latin" else "" for t, i in places]
    for at, (token, i) in enumerate(places):
        char, tone = chars[at], token.syllables[i].tone
        if token.exact:
            continue
        if char == "一" and tone == 1:
            token.syllables[i] = replace(token.syllables[i], tone=_yi(places, chars, at))
        elif char == "不" and tone == 4:
            token.syllables[i] = replace(token.syllables[i], tone=_bu(places, chars, at))
        elif at and char and char == chars[at - 1]:
            _lighten_double(places, chars, at)


def _lighten_double(places: list[tuple[Token, int]], chars: list[str], at: int) -> None:
    """看看, 想想: the second is light, and after a third tone still counts as one."""
    (first, i), (second, j) = places[at - 1], places[at]
    size = len(first.syllables) if first is second else len(first.syllables) + len(second.syllables)
    if size != 2 or chars[at] not in _LIGHT_WHEN_DOUBLED:
        return
    second.syllables[j] = replace(second.syllables[j], tone=5)
    if first.syllables[i].tone == 3:
        first.syllables[i] = replace(first.syllables[i], tone=2)


def _yi(places: list[tuple[Token, int]], chars: list[str], at: int) -> int:
    token, i = places[at]
    before = chars[at - 1] if at else ""
    after = chars[at + 1] if at + 1 < len(chars) else ""
    if not after:
        return 1
    ends_word = i > 0 and i == len(token.syllables) - 1
    if before and before == after and before not in _DIGITS and not ends_word:
        return 5
    if before in ("第", "初") or before in _DIGITS or after in _DIGITS:
        return 1
    if before in _MAGNITUDES and after not in _MAGNITUDES:
        return 1
    if before == "点" and token.kind == "number":
        return 1
    if after == "点" and at + 2 < len(chars) and chars[at + 2] in _DIGITS:
        return 1
    # The end of a longer word: 统一, 万一, 周一.
    if ends_word and token.kind == "hanzi":
        return 1
    rest = "".join(chars[at + 1 : at + 3])
    if rest.startswith(_NAMED_BY_ONE) or (before == "月" and after == "日"):
        return 1
    following = _tone_at(places, at + 1)
    # 个 is often light already, and counts as a fourth tone.
    return 2 if following == 4 or (following == 5 and after == "个") else 4


def _bu(places: list[tuple[Token, int]], chars: list[str], at: int) -> int:
    token, i = places[at]
    before = chars[at - 1] if at else ""
    after = chars[at + 1] if at + 1 < len(chars) else ""
    if before and before == after:
        return 5
    if i == 1 and len(token.syllables) == 3 and token.spoken[1:] not in _WHOLE_WITH_BU:
        return 5
    return 2 if after and _tone_at(places, at + 1) == 4 else 4


def _tone_at(places: list[tuple[Token, int]], at: int) -> int:
    token, i = places[at]
    return token.syllables[i].tone


def apply_third_tone(tokens: Sequence[Token], segmenter: Segmenter) -> None:
    """A third tone before another becomes a second tone: inside words first, then between them.

    Between words the last pair changes first, and a syllable looks at the tone that its neighbour really has:
    我很好 is wo3 hen2 hao3, and 展览馆, which is 展览 plus 馆, is zhan2 lan2 guan3.
    """
    for token in tokens:
        if token.exact:
            continue
        _inside(token.syllables, token.spoken if token.kind != "latin" else "", segmenter)
    for left, right in zip(reversed(tokens[:-1]), reversed(tokens[1:]), strict=True):
        if left.break_after < BREAK_PHRASE and not left.exact and left.syllables and right.syllables:
            _meet(left.syllables, len(left.syllables) - 1, right.syllables[0])


def _meet(syllables: list[Syllable], at: int, following: Syllable) -> None:
    if syllables[at].tone == 3 and following.tone == 3:
        syllables[at] = replace(syllables[at], tone=2)


def _inside(syllables: list[Syllable], spoken: str, segmenter: Segmenter) -> None:
    """Sandhi within one word, along the boundary between its parts."""
    size = len(syllables)
    if size < 2:
        return
    if size == 2:
        _meet(syllables, 0, syllables[1])
        return
    middle = _middle(spoken, size, segmenter)
    left, right = syllables[:middle], syllables[middle:]
    _inside(left, spoken[:middle], segmenter)
    _inside(right, spoken[middle:], segmenter)
    _meet(left, middle - 1, right[0])
    syllables[:] = left + right


def _middle(spoken: str, size: int, segmenter: Segmenter) -> int:
    """Where a word of three or more syllables divides: 展览|馆, 小|老虎, 理所|当然."""
    if size == 3 and len(spoken) == 3:
        return 1 if segmenter.frequency(spoken[1:]) > segmenter.frequency(spoken[:2]) else 2
    return 2
