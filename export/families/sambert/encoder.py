"""The encoder stage of a SAM-BERT voice: units → hidden states, durations, pitch and energy."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from export.families.frames import length_mask
from export.families.sambert.acoustic import AcousticModel

# Features of a unit after the four of the text encoder.
EMOTION, SPEAKER, INTENSITY = 4, 5, 6


class Encoded(NamedTuple):
    """What the encoder computes; [B, T, …] and 0 in the padding. `text` is the text encoder's output."""

    hidden: Tensor
    durations: Tensor
    f0_contour: Tensor
    energy_contour: Tensor
    text: Tensor
    log_durations: Tensor


class Encoder(nn.Module):
    """Text encoder and variance adaptor with the controls of a voice.

    `neutral` is the number of the emotion that an intensity of 0 is. `variation` is the standard deviation of the
    voice's fundamental over its mean: with it a shift in semitones is one of the normalised pitch. `speaker`
    [speaker_units] is the speaker of a voice that has no table of them.
    """

    def __init__(self, model: AcousticModel, neutral: int, variation: float, speaker: Tensor | None = None) -> None:
        super().__init__()
        self.model = model
        self.neutral = neutral
        self.variation = variation
        self.speaker: Tensor | None
        self.register_buffer("speaker", speaker)

    def encode(self, units: Tensor, unit_lengths: Tensor, pitch: Tensor, contour: Tensor) -> Encoded:
        """The arguments of `forward` → everything there is to know."""
        model, adaptor = self.model, self.model.variance_adaptor
        mask = length_mask(unit_lengths, units).to(pitch.dtype)
        text = model.text_encoder(units, mask)
        voice = torch.cat([self._speakers(units, text), self._emotions(units)], dim=-1)
        condition = torch.cat([text, voice], dim=-1)
        f0 = self._moved(adaptor.pitch_predictor(condition, unit_lengths, mask), mask, pitch, contour)
        energy = adaptor.energy_predictor(condition, unit_lengths, mask)
        condition = torch.cat([text + adaptor.embed(f0, energy), voice], dim=-1) * mask
        log_durations = adaptor.duration_predictor(condition, mask)
        durations = log_durations.exp() - 1.0
        hidden = torch.cat([condition, durations], dim=-1)
        return Encoded(
            hidden, durations.squeeze(-1), f0.squeeze(-1), energy.squeeze(-1), text, log_durations.squeeze(-1)
        )

    def forward(
        self, units: Tensor, unit_lengths: Tensor, pitch: Tensor, contour: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Encode a batch.

        units [B, T, 7] int32: symbol, tone, syllable flag, word segment, emotion, speaker, intensity of the emotion in
        per cent; unit_lengths [B, 1] int32; pitch [B, 1] float32 semitones; contour [B, 1] float32, the factor by which
        the pitch moves about the clause's mean → hidden [B, T, condition_units + 1]: text with pitch and energy added,
        speaker, emotion, duration; durations [B, T] frames, not rounded; f0 [B, T] and energy [B, T], normalised.
        """
        encoded = self.encode(units, unit_lengths, pitch, contour)
        return encoded.hidden, encoded.durations, encoded.f0_contour, encoded.energy_contour

    def _speakers(self, units: Tensor, like: Tensor) -> Tensor:
        if self.speaker is not None:
            return self.speaker.to(like.dtype).expand(like.shape[0], like.shape[1], -1)
        y: Tensor = self.model.spk_tokenizer(units[..., SPEAKER])
        return y

    def _emotions(self, units: Tensor) -> Tensor:
        table = self.model.emo_tokenizer
        neutral = table.weight[self.neutral]
        intensity = units[..., INTENSITY].to(neutral.dtype).unsqueeze(-1) / 100.0
        y: Tensor = neutral + intensity * (table(units[..., EMOTION]) - neutral)
        return y

    def _moved(self, f0: Tensor, mask: Tensor, pitch: Tensor, contour: Tensor) -> Tensor:
        """The pitch contour [B, T, 1] stretched about its mean and shifted."""
        mean = f0.sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp(min=1.0)
        shift = (torch.exp2(pitch / 12.0) - 1.0) / self.variation
        return (mean + (f0 - mean) * contour.unsqueeze(-1) + shift.unsqueeze(-1)) * mask
