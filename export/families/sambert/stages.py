"""The stages of a Sambert voice."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from export.bundle import Arrays, Quantization, Stage
from export.families.sambert.acoustic_stages import decoder_stage, encoder_stage
from export.families.sambert.calibration import spoken
from export.families.sambert.decoder import Decoder
from export.families.sambert.voice import SambertVoice
from export.mel import kantts_format
from export.specs import StageSpec, TensorSpec
from export.vocoders.nsf import SourceTrack
from export.vocoders.served import served
from export.vocoders.vocoder import Vocoder, vocoder_stage

HIFIGAN = "hifigan"
# The wide layers, at few samples a second; noise of the later ones would be heard as hiss.
_WIDE = ("input.", "upsamples.0.", "stages.0.")
# With a source, the generator is a part of the vocoder.
_INT8_LAYERS = (*_WIDE, *(f"generator.{name}" for name in _WIDE))
# Channels that `SourceTrack` appends.
_TRACK = 2


class TrackedDecoder(nn.Module):
    """A decoder whose mel spectrogram has the track of the vocoder's source after its bands."""

    def __init__(self, decoder: Decoder, track: SourceTrack) -> None:
        super().__init__()
        self.decoder = decoder
        self.track = track

    def forward(self, hidden: Tensor, alignment: Tensor, frame_lengths: Tensor) -> Tensor:
        """What the decoder takes → mel [B, M, bands + 4]."""
        mel: Tensor = self.track(self.decoder(hidden, alignment, frame_lengths))
        return mel


def load_stages(voice: SambertVoice) -> tuple[tuple[Stage, ...], Vocoder]:
    """Encoder, decoder and vocoder in the order in which a clause passes them, and what the vocoder is."""
    vocoder = served(voice.generator, kantts_format(voice.files.audio), (), voice.f0)
    stages = (encoder_stage(voice.encoder), decoder_of(voice), vocoder_stage(vocoder, HIFIGAN))

    def mels() -> list[Arrays]:
        return [one[HIFIGAN] for one in spoken(stages, voice.symbols)]

    *acoustic, last = stages
    return (*acoustic, replace(last, quantization=Quantization(_INT8_LAYERS, mels, least_snr=20.0))), vocoder


def decoder_of(voice: SambertVoice) -> Stage:
    """The decoder with what its vocoder takes besides the mel."""
    plain = decoder_stage(voice.decoder)
    if voice.f0 is None:
        return plain
    generator = voice.generator.config
    track = SourceTrack(voice.f0, generator.sample_rate, generator.hop_length)
    return Stage(_tracked(plain.spec), TrackedDecoder(voice.decoder, track).eval(), plain.sampler)


def _tracked(spec: StageSpec) -> StageSpec:
    (mel,) = spec.outputs
    frames, bands = mel.axes
    assert isinstance(bands, int)
    return replace(spec, outputs=(TensorSpec(mel.name, mel.dtype, (frames, bands + _TRACK)),))
