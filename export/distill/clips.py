"""Pairs of mel spectrogram and waveform, and segments of them to train on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from export.errors import ExportError


@dataclass(frozen=True)
class Clips:
    """Utterances one after the other, on one device: `mel` [F, bands] float16, `audio` [F·hop] float32 in -1…1.

    Utterance i has `lengths[i]` frames, int64 on the CPU.
    """

    mel: Tensor
    audio: Tensor
    lengths: Tensor
    hop_length: int

    @property
    def starts(self) -> Tensor:
        """The first frame of each utterance, int64 on the CPU."""
        return self.lengths.cumsum(0) - self.lengths

    def of(self, index: int) -> tuple[Tensor, Tensor]:
        """One utterance whole: mel [1, M, bands] float32, audio [1, M·hop]."""
        start, length = int(self.starts[index]), int(self.lengths[index])
        return self._cut(torch.arange(start, start + length)[None])

    def _cut(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """The frames [B, M] int64."""
        frames = frames.to(self.mel.device, non_blocking=True)
        return self.mel[frames].float(), self.audio.view(-1, self.hop_length)[frames].flatten(1)

    def segments(self, count: int, frames: int, seed: int) -> tuple[Tensor, Tensor]:
        """Segments at random places: mel [count, frames, bands] float32, audio [count, frames·hop].

        Every segment that lies in one utterance is as likely as any other; the same ones for the same seed. Raises
        `ExportError` when no utterance is as long.
        """
        places = (self.lengths - frames + 1).clamp(min=0)
        ends = places.cumsum(0)
        total = int(ends[-1]) if len(ends) else 0
        if not total:
            raise ExportError(f"no utterance has {frames} frames: take shorter segments or more sentences")
        chosen = torch.randint(total, (count,), generator=torch.Generator().manual_seed(seed))
        clip = torch.searchsorted(ends, chosen, right=True)
        first = self.starts[clip] + chosen - (ends - places)[clip]
        return self._cut(first[:, None] + torch.arange(frames))
