"""Cuts a long text at sentence ends, so that the first block is spoken before the last is analysed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mandarin import has_words

BLOCK = 240
_SENTENCE = re.compile(r"[^。！？!?；;…\n\u2028]*[。！？!?；;…\n\u2028]+[”’」』）)》\"']*|[^。！？!?；;…\n\u2028]+")
# A text without sentence ends is cut at commas or blanks, or else between Chinese characters; numbers stay whole.
_LONGEST = 2 * BLOCK
_PART = re.compile(
    rf"(?s:.{{1,{_LONGEST}}}(?:[，、：\s]|,(?!\d))|.{{{BLOCK},{_LONGEST}}}[\u4e00-\u9fff](?=[\u4e00-\u9fff])|.+)"
)


def split_blocks(text: str, *, first: bool = True, size: int = BLOCK) -> list[str]:
    """Blocks of whole sentences, up to `size` characters unless one sentence is longer.

    Joined, the blocks are the text. With `first`, the first block is a single sentence: audio starts after it.
    """
    blocks: list[str] = []
    block: list[str] = []
    length = 0
    worded = False
    for sentence in _sentences(text, size):
        if worded and (first or length + len(sentence) > size):
            blocks.append("".join(block))
            block, length, worded, first = [], 0, False, False
        block.append(sentence)
        length += len(sentence)
        worded = worded or has_words(sentence)
    # What has no words goes with a sentence beside it.
    if blocks and not worded:
        blocks[-1] += "".join(block)
    elif block:
        blocks.append("".join(block))
    return blocks


def _sentences(text: str, size: int) -> Iterator[str]:
    for sentence in _SENTENCE.findall(text):
        if len(sentence) > max(size, _LONGEST):
            yield from _PART.findall(sentence)
        else:
            yield sentence
