"""How near a generator is to its teacher on sentences that it was not trained on."""

from __future__ import annotations

import torch

from export.distill.clips import Clips
from export.distill.losses import MelLoss, log_spectral_distance, stft_loss
from export.vocoders.hifigan import HiFiGAN


def evaluate(generator: HiFiGAN, clips: Clips, sample_rate: int) -> dict[str, float]:
    """The mean of each distance over whole utterances: `stft_loss`, `mel_l1` and `log_spectral_distance_db`."""
    mel_loss = MelLoss(sample_rate).to(clips.mel.device)
    sums = dict.fromkeys(("stft_loss", "mel_l1", "log_spectral_distance_db"), 0.0)
    # In float32 as it will serve: the rounding of TF32 is louder than a pause.
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for index in range(len(clips.lengths)):
            mel, audio = clips.of(index)
            generated = generator(mel)
            found = (stft_loss(generated, audio), mel_loss(generated, audio), log_spectral_distance(generated, audio))
            for name, value in zip(sums, found, strict=True):
                sums[name] += value.item()
    return {name: total / len(clips.lengths) for name, total in sums.items()}
