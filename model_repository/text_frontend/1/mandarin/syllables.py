"""Which toneless syllables exist, and how other spellings map onto them."""

from __future__ import annotations

from .data_files import words
from .results import Syllable

KNOWN: frozenset[str] = words("syllables.txt")

# Interjections and dialect syllables that no voice was trained on, and the nearest syllable each has.
_NEAREST = {
    "m": "mu",
    "n": "en",
    "ng": "en",
    "hm": "heng",
    "hng": "heng",
    "ê": "ei",
    "eh": "ei",
    "fiao": "fu",
    "nun": "nuan",
    "cei": "cai",
    "wong": "weng",
    "din": "ding",
    "biang": "bang",
    "bong": "beng",
    "lue": "lve",
    "nue": "nve",
    "pia": "pa",
    "rua": "ruo",
    "yai": "ya",
}

_INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcsyw")
_CONTRACTED = {"ui": "uei", "un": "uen", "iu": "iou"}


def canonical(pinyin: str) -> str:
    """The known spelling of a toneless syllable; raises KeyError for what is no syllable at all."""
    pinyin = pinyin.lower().replace("ü", "v").replace("u:", "v")
    if len(pinyin) > 1 and pinyin[0] in "jqxy" and pinyin[1] == "v":
        pinyin = pinyin[0] + "u" + pinyin[2:]
    pinyin = _NEAREST.get(pinyin, pinyin)
    if pinyin not in KNOWN:
        raise KeyError(pinyin)
    return pinyin


def parse(text: str) -> Syllable:
    """Read one syllable written like `lv4`, or `wanr2` when r-coloured."""
    body, tone = text[:-1], int(text[-1])
    if not 1 <= tone <= 5:
        raise KeyError(text)
    if body != "er" and body.endswith("r"):
        return Syllable(canonical(body[:-1]), tone, True)
    return Syllable(canonical(body), tone)


def parse_many(text: str) -> tuple[Syllable, ...]:
    """Read syllables separated by blanks."""
    return tuple(parse(part) for part in text.split())


def initial_and_final(pinyin: str) -> tuple[str, str]:
    """A known syllable's initial, y and w among them and "" where there is none, and its final as it sounds.

    Contracted finals are written out and ü is v: gui → g uei, jue → j ve, yun → y vn, er → "" er.
    """
    initial = next((i for i in _INITIALS if pinyin.startswith(i)), "")
    final = pinyin[len(initial) :]
    if initial in ("j", "q", "x", "y") and final.startswith("u"):
        final = "v" + final[1:]
    return initial, _CONTRACTED.get(final, final)
