"""Cuts a long text at sentence ends, so that the first block is spoken before the last is analysed."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SENTENCE = re.compile(r"[^。！？!?；;…\n\u2028]*[。！？!?；;…\n\u2028]+[”’」』）)》\"']*|[^。！？!?；;…\n\u2028]+")
BLOCK = 240


def split_blocks(text: str, *, first: bool = True, size: int = BLOCK) -> Iterator[str]:
    """Blocks of whole sentences, up to `size` characters unless one sentence is longer.

    Joined, the blocks are the text. With `first`, the first block is a single sentence: audio starts after it.
    """
    block = ""
    for sentence in _SENTENCE.findall(text):
        if block and (first or len(block) + len(sentence) > size) and _speakable(block):
            yield block
            block, first = "", False
        block += sentence
    if block:
        yield block


def _speakable(text: str) -> bool:
    """Whether there is anything to say: a block of punctuation alone stays with the sentence that follows."""
    return any(character.isalnum() for character in text)
