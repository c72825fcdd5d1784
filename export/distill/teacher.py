"""What the demo voice says, spoken by its own modules in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from alignment import alignment, frame_counts
from torch import Tensor

from export.distill.clips import Clips
from export.distill.corpus import Utterance
from export.families.fastspeech2.checkpoint import Checkpoint

_BATCH = 32
# Copies of the last frame behind an utterance, which the vocoder hears as it does when it serves.
_TAIL = 24


class Teacher:
    """The encoder, the decoder and the vocoder of the demo voice, with the aligner that serves between them."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self._device = device
        # PyTorch's float32 convolutions are wrong on some processors (export/inference.py).
        self._dtype = torch.float64 if device.type == "cpu" else torch.float32
        modules = (checkpoint.encoder, checkpoint.decoder, checkpoint.vocoder)
        self._encoder, self._decoder, self._vocoder = (module.to(device, self._dtype) for module in modules)
        self._hop = checkpoint.vocoder_config.hop_length

    def speak(self, utterances: Sequence[Utterance]) -> Clips:
        """What the voice makes of the utterances, in batches of similar length, but in their order."""
        order = sorted(range(len(utterances)), key=lambda index: len(utterances[index].units))
        spoken: dict[int, tuple[Tensor, Tensor]] = {}
        with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=False, allow_tf32=False):
            for at in range(0, len(order), _BATCH):
                chosen = order[at : at + _BATCH]
                spoken |= zip(chosen, self._batch([utterances[index] for index in chosen]), strict=True)
        mels, audios = zip(*(spoken[index] for index in range(len(utterances))), strict=True)
        lengths = torch.tensor([len(mel) for mel in mels])
        return Clips(torch.cat(mels), torch.cat(audios), lengths, self._hop)

    def _batch(self, utterances: Sequence[Utterance]) -> list[tuple[Tensor, Tensor]]:
        """Mel [M, bands] float16 and audio [M·hop] float32 of each."""
        longest = max(len(utterance.units) for utterance in utterances)
        units = np.stack([np.pad(utterance.units, (0, longest - len(utterance.units))) for utterance in utterances])
        hidden, durations, _, _ = self._encoder(
            torch.from_numpy(units[..., None]).to(self._device),
            self._column([len(utterance.units) for utterance in utterances], torch.int32),
            self._column([utterance.pitch for utterance in utterances], self._dtype),
            self._column([utterance.contour for utterance in utterances], self._dtype),
        )
        counts = [
            frame_counts(row[: len(utterance.units)], utterance.speed, utterance.pauses)
            for row, utterance in zip(durations.float().cpu().numpy(), utterances, strict=True)
        ]
        lengths = [int(count.sum()) for count in counts]
        frames = np.stack([alignment(count, max(lengths) + _TAIL) for count in counts])
        mels = self._decoder(hidden, torch.from_numpy(frames).to(self._device), self._column(lengths, torch.int32))
        audios = self._vocoder(mels).float()
        return [
            (mel[:length].half(), audio[: length * self._hop])
            for mel, audio, length in zip(mels, audios, lengths, strict=True)
        ]

    def _column(self, values: Sequence[float], dtype: torch.dtype) -> Tensor:
        """[B, 1]."""
        return torch.tensor(values, dtype=dtype, device=self._device)[:, None]
