"""The acoustic stages with more outputs: what references hold besides what a voice serves."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from export.bundle import Stage
from export.families.sambert.acoustic_stages import UNITS, decoder_stage, encoder_stage, frames
from export.families.sambert.config import SambertConfig
from export.families.sambert.decoder import Decoder
from export.families.sambert.encoder import Encoder
from export.specs import Axis, DType, StageSpec, TensorSpec
from export.vocoders.nsf import F0Scale
from export.vocoders.vocoder import normal_mel


class DetailedEncoder(nn.Module):
    """An encoder that tells the text encoder's output and the duration predictor's too."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, units: Tensor, unit_lengths: Tensor, pitch: Tensor, contour: Tensor) -> tuple[Tensor, ...]:
        """What the encoder takes → hidden, durations, f0, energy, text [B, T, text_units], log durations [B, T]."""
        return tuple(self.encoder.encode(units, unit_lengths, pitch, contour))


class DetailedDecoder(nn.Module):
    """A decoder that tells what its mel was made from."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, hidden: Tensor, alignment: Tensor, frame_lengths: Tensor) -> tuple[Tensor, ...]:
        """What the decoder takes → mel after and before the postnet, frames' texts, memory [B, L, C], widths [B, 1]."""
        mel, before, memory = self.decoder.decode(hidden, alignment, frame_lengths)
        return mel, before, memory.text, memory.memory, memory.widths.to(alignment.dtype)


class Hertz(nn.Module):
    """Makes Hz and decided voicing of the last two channels of an acoustic model's mel, as upstream's vocoder takes."""

    def __init__(self, scale: F0Scale) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, mel: Tensor) -> Tensor:
        """[B, M, bands] → the same shape."""
        return torch.cat([mel[..., :-2], torch.stack(self.scale.voicing(mel[..., -2:]), dim=-1)], dim=-1)


def hertz_stage(scale: F0Scale, config: SambertConfig) -> Stage:
    """What comes between decoder and vocoder in the references of a voice with a source."""
    mel = (frames(config), config.bands)
    spec = StageSpec(
        role="hertz",
        inputs=(TensorSpec("mel", DType.FP32, mel),),
        outputs=(TensorSpec("voc_in", DType.FP32, mel),),
    )
    return Stage(spec, Hertz(scale), normal_mel)


def detailed_stages(encoder: Encoder, decoder: Decoder) -> tuple[Stage, Stage]:
    """Encoder and decoder stage whose last outputs are named as in the references."""
    config = decoder.config
    axis = frames(config)
    steps = Axis("steps", *(length // axis.step for length in (axis.minimum, axis.optimum, axis.maximum)))
    text = (TensorSpec("text_hid", DType.FP32, (UNITS, config.text_units)), TensorSpec("log_dur", DType.FP32, (UNITS,)))
    mel = (
        TensorSpec("post", DType.FP32, (axis, config.bands)),
        TensorSpec("dec", DType.FP32, (axis, config.bands)),
        TensorSpec("LR_text", DType.FP32, (axis, config.text_units)),
        TensorSpec("memory", DType.FP32, (steps, config.memory_units)),
        TensorSpec("xbw", DType.INT32, (1,)),
    )
    first, second = encoder_stage(encoder), decoder_stage(decoder)
    return (
        replace(first, spec=_with(first.spec, (*first.spec.outputs, *text)), module=DetailedEncoder(encoder).eval()),
        replace(second, spec=_with(second.spec, mel), module=DetailedDecoder(decoder).eval()),
    )


def _with(spec: StageSpec, outputs: tuple[TensorSpec, ...]) -> StageSpec:
    return replace(spec, outputs=outputs)
