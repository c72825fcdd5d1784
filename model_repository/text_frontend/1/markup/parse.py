"""Text of a request → script."""

from __future__ import annotations

import re

from .builder import Builder
from .script import Manner, Script
from .ssml import read_ssml

# A text is SSML when this is what it starts with, and nothing but text otherwise. A document type is refused later.
_SSML = re.compile(r"[\s\ufeff]*(?=(?:<\?xml\s[^<>]*\?>\s*)?<(?:speak[\s/>]|!DOCTYPE\s+speak\b))")


def parse(text: str, manner: Manner) -> Script:
    """The script of a text, spoken in `manner` unless it says otherwise. Raises `MarkupError`."""
    if found := _SSML.match(text):
        return read_ssml(text, found.end(), manner)
    builder = Builder(manner, folding=False)
    builder.data(text, 0)
    builder.end_stretch()
    return builder.script(len(text))
