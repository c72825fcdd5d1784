"""儿 as r-colouring of the syllable before it, or as a syllable of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .data_files import words
from .tokens import Token

# Words in which 儿 means a child and is a syllable.
_CHILD_WORDS = words("er_words.txt")
_CHILD_BEFORE = frozenset(word[-2] for word in _CHILD_WORDS if word.endswith("儿") and len(word) == 2)
_CHILD_AFTER = frozenset("子童女科歌媳孙戏时")


def apply_erhua(tokens: Sequence[Token]) -> list[Token]:
    """Fold r-colouring 儿 into the syllable before it; a lone 儿 joins the token before it."""
    out: list[Token] = []
    for index, token in enumerate(tokens):
        following = tokens[index + 1].spoken[:1] if index + 1 < len(tokens) else ""
        _inside(token, following)
        before = out[-1] if out else None
        if token.spoken == "儿" and not token.given and before is not None and _joins(before, token, following):
            # The parts of one group already have the whole of what is written.
            before.text += token.text if token.group < 0 else ""
            before.spoken += token.spoken
            before.end = token.end
            before.syllables[-1] = replace(before.syllables[-1], erhua=True)
            continue
        out.append(token)
    return out


def _joins(before: Token, token: Token, following: str) -> bool:
    return (
        before.kind == token.kind == "hanzi"
        and before.group == token.group
        and _colours(before.spoken, following)
        and bool(before.syllables)
        and before.syllables[-1].pinyin != "er"
        and not before.syllables[-1].erhua
    )


def _colours(stem: str, following: str) -> bool:
    """Whether 儿 after this stem is r-colouring."""
    if not stem or stem[-1] in _CHILD_BEFORE or stem + "儿" in _CHILD_WORDS:
        return False
    return following not in _CHILD_AFTER


def _inside(token: Token, following: str) -> None:
    """Within a dictionary word only a final 儿 colours: 玩儿, 一会儿."""
    word = token.spoken
    if token.given or token.kind != "hanzi" or len(token.syllables) != len(word):
        return
    if len(word) < 2 or not word.endswith("儿"):
        return
    if _colours(word[:-1], following) and token.syllables[-2].pinyin != "er":
        token.syllables.pop()
        token.syllables[-1] = replace(token.syllables[-1], erhua=True)
