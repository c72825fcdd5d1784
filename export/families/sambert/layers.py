"""What the parts of SAM-BERT are built of. Attributes are named as the tensors of the checkpoint are.

Tensors are [batch, time, channels], masks [batch, time, 1]: 1 inside, 0 in the padding. Whatever looks beyond its own
time step is masked, so that an item of a padded batch is computed as if it were alone.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.families.sambert.config import FsmnConfig
from export.families.sambert.recurrence import lstm

# Upstream's, not PyTorch's.
EPSILON = 1e-6
# Added to the scores of keys that do not count. exp(-1e4) is 0 in float32, and the value fits into float16.
MASKED = -1e4


class Prenet(nn.Module):
    """Linear layers with ReLU; with `outputs`, one more without."""

    def __init__(self, inputs: int, units: tuple[int, ...], outputs: int | None = None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in pairwise((inputs, *units)):
            # The dropout is for training; it is here because the tensors are numbered with it.
            layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(0.5)]
        if outputs is not None:
            layers.append(nn.Linear(units[-1], outputs))
        self.fcs = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """[…, inputs] → […, outputs]."""
        y: Tensor = self.fcs(x)
        return y


class FeedForward(nn.Module):
    """Pre-norm feed-forward part of a transformer layer: a convolution, ReLU, a convolution of width 1, residual."""

    def __init__(self, units: int, filter: int, kernel: int) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(units, eps=EPSILON)
        self.w_1 = nn.Conv1d(units, filter, kernel, padding=(kernel - 1) // 2)
        self.w_2 = nn.Conv1d(filter, units, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, units], mask [B, T, 1] → [B, T, units]."""
        # Without the mask the norm's bias would come in from the padding.
        y = (self.layer_norm(x) * mask).transpose(1, 2)
        z: Tensor = self.w_2(F.relu(self.w_1(y))).transpose(1, 2)
        return (z + x) * mask


class FsmnLayer(nn.Module):
    """Two layers of width 1 with a ReLU between them; the second has no bias."""

    def __init__(self, inputs: int, filter: int, units: int) -> None:
        super().__init__()
        self.w_1 = nn.Conv1d(inputs, filter, 1)
        self.w_2 = nn.Conv1d(filter, units, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, inputs] → [B, T, units]."""
        y: Tensor = self.w_2(F.relu(self.w_1(x.transpose(1, 2)))).transpose(1, 2)
        return y


class FsmnMemory(nn.Module):
    """A depthwise convolution, which a `shift` moves towards the past, and the input added to it."""

    def __init__(self, units: int, kernel: int, shift: int) -> None:
        super().__init__()
        half = (kernel - 1) // 2
        self.padding = (half + shift, half - shift)
        self.conv_dw = nn.Conv1d(units, units, kernel, groups=units, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, units], mask [B, T, 1] → [B, T, units]."""
        x = x * mask
        y: Tensor = self.conv_dw(F.pad(x.transpose(1, 2), self.padding)).transpose(1, 2)
        return (y + x) * mask


class Fsmn(nn.Module):
    """Deep feed-forward sequential memory network (Zhang et al. 2018, arXiv 1803.05030)."""

    def __init__(self, config: FsmnConfig) -> None:
        super().__init__()
        widths = [config.inputs] + [config.units] * (config.layers - 1)
        self.ffn_lst = nn.ModuleList(FsmnLayer(width, config.filter, config.units) for width in widths)
        self.memory_block_lst = nn.ModuleList(FsmnMemory(config.units, config.kernel, shift) for shift in config.shifts)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, inputs], mask [B, T, 1] → [B, T, units]."""
        for layer, memory in zip(self.ffn_lst, self.memory_block_lst, strict=True):
            y = memory(layer(x), mask)
            x = y + x if y.shape[-1] == x.shape[-1] else y
        return x


class BidirectionalLSTM(nn.LSTM):
    """An LSTM each way; the one to the left begins at the end of each item, not of the batch."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__(inputs, units, batch_first=True, bidirectional=True)

    def both_ways(self, x: Tensor, lengths: Tensor) -> Tensor:
        """x [B, T, inputs], lengths [B, 1] → [B, T, 2·units]; the padding's are arbitrary."""
        steps = torch.arange(x.shape[1], device=lengths.device, dtype=lengths.dtype)[None, :]
        # Each item back to front with its padding in place, which undoes itself.
        order = torch.where(steps < lengths, lengths - 1 - steps, steps).to(torch.int64).unsqueeze(-1)
        to_right, to_left = self.all_weights
        right = lstm(x, to_right)
        left = lstm(x.gather(1, order.expand(-1, -1, x.shape[2])), to_left)
        return torch.cat([right, left.gather(1, order.expand(-1, -1, left.shape[2]))], dim=-1)
