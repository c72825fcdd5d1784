"""The short forms of control in plain text: `[pause:0.5s]` and `[重庆](chong2 qing4)`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mandarin import parse_phonemes

from .values import seconds

# Whatever is not exactly one of these is text: brackets and Markdown links are nothing special.
_FORM = re.compile(
    r"\[pause:(?P<time>\d{1,9}(?:\.\d{1,9})?m?s)\]"
    r"|\[(?P<word>[^\[\]\n]{1,64})\]\((?P<pinyin>[a-zü:]{1,7}[1-5](?: [a-zü:]{1,7}[1-5]){0,63}(?: #[0-2])?)\)"
)


@dataclass(frozen=True)
class Form:
    """What stands between `start` and `end`: plain text, or a break of `seconds`, or `text` read as `pinyin`.

    `doubtful` is a form that names a syllable that there is not, and so is text.
    """

    start: int
    end: int
    text: str = ""
    seconds: float | None = None
    pinyin: str = ""
    doubtful: bool = False


def forms(text: str) -> Iterator[Form]:
    """The text in its order."""
    at = 0
    for found in _FORM.finditer(text):
        if found.start() > at:
            yield Form(at, found.start(), text[at : found.start()])
        at = found.end()
        if found["time"]:
            yield Form(found.start(), at, found[0], seconds(found["time"]))
        elif parse_phonemes(found["pinyin"]) is None:
            yield Form(found.start(), at, found[0], doubtful=True)
        else:
            yield Form(found.start(), at, found["word"], pinyin=found["pinyin"])
    if at < len(text):
        yield Form(at, len(text), text[at:])
