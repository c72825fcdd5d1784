"""The decoder stage of a SAM-BERT voice: hidden states and an alignment → mel spectrogram."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from export.families.frames import hold_last_frame, length_mask
from export.families.sambert.acoustic import AcousticModel


class Memory(NamedTuple):
    """What the PNCA decoder reads: frames' texts [B, M, text_units], memory [B, L, memory_units], [B, 1] widths."""

    text: Tensor
    memory: Tensor
    widths: Tensor


class Decoded(NamedTuple):
    """Mel before and after the postnet, [B, M, bands] and 0 in the padding, and what they were made from."""

    mel: Tensor
    before: Tensor
    memory: Memory


class Decoder(nn.Module):
    """Length regulator, PNCA decoder and postnet. M frames are L steps of `outputs_per_step`."""

    def __init__(self, model: AcousticModel) -> None:
        super().__init__()
        self.model = model
        self.config = model.config

    def remember(self, hidden: Tensor, alignment: Tensor, frame_lengths: Tensor) -> Memory:
        """The arguments of `forward` → the decoder's memory.

        The band of an item is as wide as its longest unit. As upstream takes the predicted duration for it before that
        is rounded, so does this where the alignment gives a unit what rounding gives; elsewhere the alignment counts.
        """
        text_units, per_step = self.config.text_units, self.config.outputs_per_step
        inside = length_mask(frame_lengths, alignment)
        mask = inside.to(hidden.dtype)
        units = torch.arange(hidden.shape[1], device=alignment.device, dtype=alignment.dtype)[:, None]
        counts = ((alignment.unsqueeze(1) == units) & inside.transpose(1, 2)).to(hidden.dtype).sum(-1)
        predicted = hidden[..., -1]
        lasting = torch.where((predicted + 0.5).floor() == counts, predicted, counts)
        widths = (lasting.amax(1, keepdim=True) / per_step + 0.5).floor().to(torch.int64)

        # Each unit's first frame travels with it to its frames.
        starts = (counts.cumsum(1) - counts).unsqueeze(-1)
        features = torch.cat([hidden[..., :-1], starts], dim=-1)
        index = alignment.to(torch.int64).unsqueeze(-1).expand(-1, -1, features.shape[2])
        frames = features.gather(1, index)
        steps = torch.arange(alignment.shape[1], device=hidden.device, dtype=hidden.dtype)[:, None]
        positions = (steps + 1.0 - frames[..., -1:]) * mask
        text = frames[..., :text_units] * mask + _sinusoid(positions, text_units)
        grouped = text.reshape(text.shape[0], -1, per_step * text_units)
        memory = torch.cat([grouped, frames[:, ::per_step, text_units:-1]], dim=-1)
        return Memory(text, memory, widths)

    def decode(self, hidden: Tensor, alignment: Tensor, frame_lengths: Tensor) -> Decoded:
        """The arguments of `forward` → everything there is to know."""
        per_step = self.config.outputs_per_step
        mask = length_mask(frame_lengths, alignment).to(hidden.dtype)
        memory = self.remember(hidden, alignment, frame_lengths)
        steps = torch.div(frame_lengths + per_step - 1, per_step, rounding_mode="floor").to(torch.int64)
        groups = self.model.mel_decoder.mel_dec(memory.memory, memory.widths, steps)
        before = groups.reshape(groups.shape[0], -1, self.config.bands) * mask
        return Decoded(before + self.model.mel_postnet(before, mask), before, memory)

    def forward(self, hidden: Tensor, alignment: Tensor, frame_lengths: Tensor) -> Tensor:
        """Decode a batch.

        hidden [B, T, condition_units + 1], alignment [B, M] int32 (the unit of each frame; M is a multiple of
        `outputs_per_step`), frame_lengths [B, 1] int32 → mel [B, M, bands]. The padding holds copies of the last frame:
        a vocoder, which has no mask, then ends an item as it would alone.
        """
        return hold_last_frame(self.decode(hidden, alignment, frame_lengths).mel, frame_lengths)


def _sinusoid(positions: Tensor, units: int) -> Tensor:
    """positions [B, M, 1] → [B, M, units], sine and cosine of each wavelength side by side."""
    pairs = torch.arange((units + 1) // 2, device=positions.device, dtype=positions.dtype)
    angles = positions / 10000 ** (2 * pairs / units)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(2)[..., :units]
