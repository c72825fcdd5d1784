"""What a Sambert checkpoint consists of, whatever layout it came in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from export.checkpoint_files import read_array
from export.errors import CheckpointError, listed
from export.families.sambert.config import EMBEDDINGS

# What must be the same for the acoustic model and for its vocoder.
_MEL = ("sampling_rate", "hop_length", "win_length", "n_fft", "n_mels", "fmin", "fmax")
_LANGUAGE = "PinYin"
# The speaker that ModelScope's own front end writes into every line.
_USUAL_SPEAKER = "F7"


@dataclass(frozen=True)
class SambertFiles:
    """A voice: names and values as KAN-TTS writes them today.

    `params` and `vocoder_params` are `Model.KanTtsSAMBERT.params` and `Model.Generator.params` (of a v1.0 voice the
    `vocoder` of its configuration), `acoustic` and `vocoder` the state dicts that go with them, the vocoder's with its
    weight normalisation. `audio` is `audio_config`: what the mel spectrograms are. `symbols` maps each feature of a
    unit to its symbols in the order of their ids, without padding, end and mask; `default_speaker` is one of its
    speakers. `pitch_statistics` are the mean and the standard deviation of the fundamental in Hz (`mvn.npy`).
    `speaker_embedding` [speaker_units] FP32 (`se.npy`) is there where the model has no table of speakers. `sources` are
    the files all this was read from.
    """

    voice: str
    params: dict[str, Any]
    acoustic: dict[str, Tensor]
    vocoder_params: dict[str, Any]
    vocoder: dict[str, Tensor]
    audio: dict[str, Any]
    symbols: dict[str, tuple[str, ...]]
    default_speaker: str
    pitch_statistics: tuple[float, float] | None
    speaker_embedding: npt.NDArray[np.float32] | None
    sources: tuple[Path, ...]

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return int(self.audio["sampling_rate"])

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names of the speakers in the order of their ids."""
        return self.symbols["speaker_category"]


@dataclass(frozen=True)
class Parts:
    """What was read of a voice, before anything of it was compared.

    `audio` are the descriptions of the mel spectrograms and where each one stands. `arrays` are the folders in which
    `mvn.npy` and `se.npy` may be.
    """

    params: dict[str, Any]
    acoustic: dict[str, Tensor]
    vocoder_params: dict[str, Any]
    vocoder: dict[str, Tensor]
    audio: tuple[tuple[Path, Mapping[str, Any]], ...]
    symbols: dict[str, tuple[str, ...]]
    arrays: tuple[Path, ...]
    sources: tuple[Path, ...]


def assemble(voice: str, parts: Parts, sample_rate: int | None) -> SambertFiles:
    """Check that the parts of a voice belong together.

    `sample_rate` is what the checkpoint says of itself as a whole, if it does. Raises `CheckpointError`.
    """
    audio = _audio(parts)
    if sample_rate is not None and sample_rate != audio["sampling_rate"]:
        raise CheckpointError(
            f"configuration.json says {sample_rate} Hz, the voice's audio_config {audio['sampling_rate']}: correct one"
        )
    sources = list(parts.sources)
    statistics = embedding = None
    if path := _array(parts, "mvn.npy"):
        sources.append(path)
        statistics = _pitch_statistics(path)
    if parts.params.get("SE"):
        path = _array(parts, "se.npy")
        if path is None:
            raise CheckpointError(
                f"the voice {voice} is made from a recording (SE): put its se.npy into {parts.arrays[0]}"
            )
        sources.append(path)
        embedding = _speaker_embedding(path, parts.params.get("speaker_units"))
    if parts.params.get("NSF") and parts.params.get("nsf_norm_type", "mean_std") == "mean_std" and statistics is None:
        raise CheckpointError(f"the voice {voice} has a source (NSF): put its mvn.npy into {parts.arrays[0]}")
    speakers = parts.symbols["speaker_category"]
    return SambertFiles(
        voice=voice,
        params=parts.params,
        acoustic=parts.acoustic,
        vocoder_params=parts.vocoder_params,
        vocoder=parts.vocoder,
        audio=audio,
        symbols=parts.symbols,
        default_speaker=next(name for name in (voice, _USUAL_SPEAKER, speakers[0]) if name in speakers),
        pitch_statistics=statistics,
        speaker_embedding=embedding,
        sources=tuple(sources),
    )


def section(config: Mapping[str, Any], path: Path, *keys: str) -> dict[str, Any]:
    """The settings under `keys` of a config. Raises `CheckpointError` that tells what is there instead."""
    content: Any = config
    for depth, key in enumerate(keys):
        if not isinstance(content, Mapping) or key not in content:
            there = listed(map(str, content), 80) if isinstance(content, Mapping) and content else "nothing"
            raise CheckpointError(
                f"{path} has no {'.'.join(keys[: depth + 1])} but {there}: not a Sambert voice's config"
            )
        content = content[key]
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} has no settings under {'.'.join(keys)}: not a Sambert voice's config")
    return content


def check_units(unit: Mapping[str, Any], path: Path) -> None:
    """Raise `CheckpointError` where a `linguistic_unit` section is not that of a Mandarin voice."""
    language = unit.get("language", _LANGUAGE)
    if language != _LANGUAGE:
        raise CheckpointError(
            f"{path} is of a voice that speaks {str(language)[:40]}; only Mandarin ({_LANGUAGE}) is supported"
        )
    features = [feature.strip() for feature in str(unit.get("lfeat_type_list", "")).split(",")]
    if features != list(EMBEDDINGS):
        raise CheckpointError(f"{path} has the features {listed(features)}; expected are {','.join(EMBEDDINGS)}")


def split_names(value: Any, path: Path) -> tuple[str, ...]:
    """The speakers of a `speaker_list`. Raises `CheckpointError` where there is none."""
    names = tuple(name.strip() for name in str(value or "").split(","))
    if not all(names):
        raise CheckpointError(f"{path} has no speaker_list, or an empty name in it: use the voice's own config")
    return names


def _audio(parts: Parts) -> dict[str, Any]:
    if not parts.audio:
        raise CheckpointError(f"{parts.arrays[-1]} has no audio_config in its configs: add its audio_config.yaml")
    first_path, first = parts.audio[0]
    for path, audio in parts.audio:
        for name in _MEL:
            value = audio.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise CheckpointError(f"{path}: {name} of audio_config is {str(value)[:40]}, a number is expected")
            if value != first[name]:
                raise CheckpointError(
                    f"{name} is {first[name]} in {_short(first_path)}, but {value} in {_short(path)}: "
                    "the acoustic model and the vocoder do not belong together"
                )
    return dict(first)


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _array(parts: Parts, name: str) -> Path | None:
    return next((folder / name for folder in parts.arrays if (folder / name).is_file()), None)


def _pitch_statistics(path: Path) -> tuple[float, float]:
    values = read_array(path)
    if values.size != 2 or float(values.reshape(-1)[1]) <= 0:
        raise CheckpointError(f"{path} has the shape {list(values.shape)}; a mean and a deviation above 0 are expected")
    mean, deviation = values.reshape(-1)
    return float(mean), float(deviation)


def _speaker_embedding(path: Path, units: Any) -> npt.NDArray[np.float32]:
    values = read_array(path)
    if values.size != units or max(values.shape, default=0) != values.size:
        raise CheckpointError(f"{path} has the shape {list(values.shape)}; one embedding of {units} is expected")
    return values.reshape(-1).astype(np.float32)
