"""A Sambert voice as modules, from what was read of its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from export.errors import CheckpointError
from export.families.sambert.acoustic import AcousticModel
from export.families.sambert.config import SambertConfig
from export.families.sambert.decoder import Decoder
from export.families.sambert.encoder import Encoder
from export.families.sambert.files import SambertFiles
from export.families.sambert.layout import find
from export.families.sambert.symbols import tables
from export.mel import kantts_format
from export.vocoders.hifigan import HiFiGAN
from export.vocoders.kantts_hifigan import kantts_generator
from export.vocoders.nsf import F0Scale
from export.voice import Symbols

# Standard deviation over mean of the fundamental, where a checkpoint does not tell them: those of a lively speaker.
_USUAL_VARIATION = 0.26
# Of KAN-TTS, for a fundamental that was normalised by bounds: Hz.
_LOWEST, _HIGHEST = 30.0, 730.0


@dataclass(frozen=True)
class SambertVoice:
    """Acoustic model and vocoder in evaluation mode, and the symbols by the features of a unit.

    `f0` makes Hz of the acoustic model's fundamental, where the vocoder has a source (NSF).
    """

    files: SambertFiles
    config: SambertConfig
    symbols: Symbols
    encoder: Encoder
    decoder: Decoder
    generator: HiFiGAN
    f0: F0Scale | None


def load(checkpoint: Path, voice: str | None = None) -> SambertVoice:
    """Load a voice of a checkpoint folder: the one called `voice`, or else the first one.

    Raises `CheckpointError`, also where the voice's parts do not fit each other.
    """
    files = find(checkpoint, voice)
    config = SambertConfig.read(files.params, files.acoustic)
    symbols = tables(files.symbols, config.vocabularies)
    generator = kantts_generator(files.vocoder_params, files.vocoder)
    _check_fit(files, config, generator)
    model = AcousticModel.load(config, files.acoustic, f"the acoustic model of {files.voice}")
    embedding = files.speaker_embedding
    speaker = None if embedding is None else torch.from_numpy(embedding)
    neutral = symbols["emo_category"]["emotion_neutral"]
    encoder = Encoder(model, neutral, _variation(files), speaker).eval()
    return SambertVoice(
        files, config, symbols, encoder, Decoder(model).eval(), generator, _f0(files) if config.source else None
    )


def _check_fit(files: SambertFiles, config: SambertConfig, generator: HiFiGAN) -> None:
    mel, vocoder = kantts_format(files.audio), generator.config
    bands = config.bands - 2 * config.source
    if config.source != (generator.source is not None):
        raise CheckpointError(
            f"the acoustic model of {files.voice} is {'' if config.source else 'not '}for a vocoder with a source "
            "(NSF), unlike its vocoder: take both from one voice"
        )
    for what, wanted, found in (
        ("mel bands", bands, vocoder.bands),
        ("mel bands", bands, mel.bands),
        ("samples a frame", mel.hop_length, vocoder.hop_length),
        ("Hz", mel.sample_rate, vocoder.sample_rate if config.source else mel.sample_rate),
    ):
        if wanted != found:
            raise CheckpointError(
                f"the parts of {files.voice} do not fit each other: {wanted} {what} | {found}; take all from one voice"
            )


def _variation(files: SambertFiles) -> float:
    if files.pitch_statistics is None:
        return _USUAL_VARIATION
    mean, deviation = files.pitch_statistics
    return deviation / mean


def _f0(files: SambertFiles) -> F0Scale:
    if files.pitch_statistics is not None and files.params.get("nsf_norm_type", "mean_std") == "mean_std":
        mean, deviation = files.pitch_statistics
        return F0Scale(deviation, mean)
    try:
        low = float(files.params.get("nsf_f0_global_minimum", _LOWEST))
        high = float(files.params.get("nsf_f0_global_maximum", _HIGHEST))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"nsf_f0_global_minimum and _maximum of {files.voice} are no numbers") from error
    return F0Scale(high - low, low)
