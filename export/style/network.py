"""The network of the style stage: evidence at each character, pooled over the instruction.

Tensors are [batch, characters, channels]. Every convolution is followed by the mask and the pooling adds or compares
exact zeros in the padding, so that a result depends on the instruction alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.style.attributes import ATTRIBUTES
from export.style.pooling import pool

# Code points beyond the basic plane are unknown; U+FFFF, the last one in it, is no character.
CODE_POINTS = 0x10000
PADDING, UNKNOWN = 0, 1
_COUNT = len(ATTRIBUTES)


@dataclass(frozen=True)
class StyleConfig:
    """Sizes of the network."""

    vocabulary: int
    embedding: int = 48
    channels: int = 64
    kernel: int = 5
    dilations: tuple[int, ...] = (1, 2, 4)


class StyleNetwork(nn.Module):
    """Instruction → style, certainty and conflict, each [B, 4] in the order of `ATTRIBUTES`.

    `table` [CODE_POINTS] int32 holds each code point's row in the embedding.
    """

    def __init__(self, config: StyleConfig) -> None:
        super().__init__()
        self.config = config
        self.table: Tensor
        self.register_buffer("table", torch.zeros(CODE_POINTS, dtype=torch.int32))
        self.outside: Tensor
        self.register_buffer("outside", torch.tensor(CODE_POINTS - 1, dtype=torch.int32), persistent=False)
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        widths = [config.embedding, *[config.channels] * (len(config.dilations) - 1)]
        self.convs = nn.ModuleList(
            nn.Conv1d(width, config.channels, config.kernel, dilation=d, padding=d * (config.kernel - 1) // 2)
            for width, d in zip(widths, config.dilations, strict=True)
        )
        self.head = nn.Linear(config.channels, 2 * _COUNT)

    def evidence(self, instruction: Tensor) -> tuple[Tensor, Tensor]:
        """instruction [B, L] int32 → clarity and strength of what each character says, both [B, L, 4], unbounded."""
        mask = (instruction > 0).unsqueeze(-1).to(self.embedding.weight.dtype)
        # Not clamp: TensorRT's Clip takes no integers.
        known = torch.where((instruction > 0) & (instruction < CODE_POINTS), instruction, self.outside)
        rows = F.embedding(known, self.table.unsqueeze(1)).squeeze(-1)
        x = self.embedding(rows) * mask
        for number, conv in enumerate(self.convs):
            y = F.relu(conv(x.transpose(1, 2)).transpose(1, 2)) * mask
            x = y if number == 0 else x + y
        clarity, strength = (self.head(x) * mask).split(_COUNT, dim=2)
        return clarity, strength

    def forward(self, instruction: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """instruction [B, L] int32 (Unicode code points, 0 is padding) → style, certainty, conflict, all [B, 4]."""
        return pool(*self.evidence(instruction))
