"""Sizes of checkpoints that were never trained: the real ones, and small ones that a test can afford."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from export.families.sculptor.untrained_language import Decoder

Size = Literal["full", "small"]
Llama = Literal["1b", "3b"]


@dataclass(frozen=True)
class LlasaSizes:
    """LLaSA: `text` is how many texts its tokenizer has, `codes` how many codes of speech it knows."""

    text: int
    codes: int
    decoder: Decoder


@dataclass(frozen=True)
class CosyVoiceSizes:
    """CosyVoice2: `text` is how many texts its tokenizer has, `vocabulary` how many its language model embeds.

    `flow` and `encoder` are widths, `units` those of the encoder's feed-forward parts, `channels` the estimator's.
    """

    text: int
    vocabulary: int
    decoder: Decoder
    flow: int
    heads: int
    units: int
    blocks: int
    channels: int
    head_size: int
    estimator_heads: int
    transformers: int
    middle_blocks: int
    vocoder: int
    f0_channels: int


@dataclass(frozen=True)
class Xcodec2Sizes:
    """The decoder half of xcodec2: width and depth of its backbone, and the width of its codes' vectors."""

    width: int
    depth: int
    heads: int
    codes: int


_QWEN = Decoder(width=896, layers=24, heads=14, key_heads=2, units=4864, biased=True)
_LLAMA = {
    "1b": Decoder(width=2048, layers=16, heads=32, key_heads=8, units=8192),
    "3b": Decoder(width=3072, layers=28, heads=24, key_heads=8, units=8192),
}


def llasa_sizes(size: Size, llama: Llama) -> LlasaSizes:
    """LLaSA-1B and -3B are Llama 3.2 of that size."""
    if size == "full":
        return LlasaSizes(128_000, 65_536, _LLAMA[llama])
    return LlasaSizes(1024, 1024, Decoder(width=64, layers=2, heads=4, key_heads=2, units=128))


def cosyvoice_sizes(size: Size) -> CosyVoiceSizes:
    """CosyVoice2-0.5B."""
    if size == "full":
        return CosyVoiceSizes(
            text=151_643,
            vocabulary=151_936,
            decoder=_QWEN,
            flow=512,
            heads=8,
            units=2048,
            blocks=6,
            channels=256,
            head_size=64,
            estimator_heads=8,
            transformers=4,
            middle_blocks=12,
            vocoder=512,
            f0_channels=512,
        )
    return CosyVoiceSizes(
        text=1024,
        vocabulary=1152,
        decoder=Decoder(width=64, layers=2, heads=4, key_heads=2, units=128, biased=True),
        flow=32,
        heads=2,
        units=64,
        blocks=1,
        channels=32,
        head_size=16,
        estimator_heads=2,
        transformers=1,
        middle_blocks=1,
        vocoder=32,
        f0_channels=16,
    )


def xcodec2_sizes(size: Size) -> Xcodec2Sizes:
    """The published xcodec2."""
    if size == "full":
        return Xcodec2Sizes(width=1024, depth=12, heads=16, codes=2048)
    return Xcodec2Sizes(width=64, depth=1, heads=1, codes=64)
