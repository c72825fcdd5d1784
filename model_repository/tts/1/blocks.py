"""Cuts a long text into blocks at sentence ends, so that the first is spoken before the last is analysed."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SENTENCE = re.compile(r"[^。！？!?；;…\n]*[。！？!?；;…\n]+[”’」』）)》\"']*|[^。！？!?；;…\n]+")


def split_blocks(text: str, size: int = 240) -> Iterator[str]:
    """Blocks of whole sentences, up to `size` characters unless one sentence is longer.

    Joined, the blocks are the text. The first block is a single sentence.
    """
    block = ""
    first = True
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
