"""Cuts a long text at sentence ends, so that the first block is spoken before the last is analysed."""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"[^。！？!?；;…\n\u2028]*[。！？!?；;…\n\u2028]+[”’」』）)》\"']*|[^。！？!?；;…\n\u2028]+")
BLOCK = 240


def split_blocks(text: str, *, first: bool = True, size: int = BLOCK) -> list[str]:
    """Blocks of whole sentences, up to `size` characters unless one sentence is longer.

    Joined, the blocks are the text. With `first`, the first block is a single sentence: audio starts after it.
    """
    blocks: list[str] = []
    block = ""
    for sentence in _SENTENCE.findall(text):
        if block and (first or len(block) + len(sentence) > size) and _speakable(block):
            blocks.append(block)
            block, first = "", False
        block += sentence
    if block and blocks and not _speakable(block):
        blocks[-1] += block
    elif block:
        blocks.append(block)
    return blocks


def _speakable(text: str) -> bool:
    """Whether there is anything to say: a block of punctuation alone goes with a sentence beside it."""
    return any(character.isalnum() for character in text)
