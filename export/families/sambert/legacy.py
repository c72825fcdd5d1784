"""Reads voices of ModelScope's first release (v1.0) as if they were of today.

Then, one `configuration.json` described all voices of a checkpoint, and each voice had its symbols in text files. The
networks are the same. The vocoder keeps its names and settings of then, those of jik876's HiFi-GAN.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.checkpoint_files import read_checkpoint, tensors
from export.errors import CheckpointError
from export.families.sambert.config import EMBEDDINGS
from export.families.sambert.files import Parts, check_units, section, split_names
from export.families.sambert.symbols import MANDARIN

CHECKPOINT = "pytorch_model.bin"

# Ours → theirs.
_AUDIO = {
    "sampling_rate": "sampling_rate",
    "hop_length": "hop_size",
    "win_length": "win_size",
    "n_fft": "n_fft",
    "n_mels": "num_mels",
    "fmin": "fmin",
    "fmax": "fmax",
}


def read_legacy(folder: Path, config: Mapping[str, Any], path: Path) -> Parts:
    """The voice in `folder`, described by the `configuration.json` that was read from `path`.

    Raises `CheckpointError`.
    """
    model = section(config, path, "model") if "model" in config else dict(config)
    acoustic = section(model, path, "am")
    vocoder = section(model, path, "vocoder")
    unit = section(acoustic, path, "linguistic_unit")
    check_units(unit, path)
    acoustic_path, vocoder_path = folder / "am" / CHECKPOINT, folder / "vocoder" / CHECKPOINT
    return Parts(
        params=section(acoustic, path, "am"),
        acoustic=tensors(read_checkpoint(acoustic_path), "fsnet", path=acoustic_path),
        vocoder_params=vocoder,
        vocoder=tensors(read_checkpoint(vocoder_path), "generator", path=vocoder_path),
        audio=((path, _audio(vocoder, path)),),
        symbols={feature: _symbols(feature, unit, folder, path) for feature in EMBEDDINGS},
        arrays=(folder / "am", folder),
        sources=(path, acoustic_path, vocoder_path),
    )


def _audio(vocoder: Mapping[str, Any], path: Path) -> dict[str, Any]:
    if missing := [name for name in _AUDIO.values() if name not in vocoder]:
        raise CheckpointError(
            f"{path} has no {', '.join(missing)} under vocoder: use the voice's own configuration.json"
        )
    return {ours: vocoder[theirs] for ours, theirs in _AUDIO.items()}


def _symbols(feature: str, unit: Mapping[str, Any], folder: Path, path: Path) -> tuple[str, ...]:
    """A feature's symbols: a line each in a file of the voice, or else those that every voice has."""
    if feature not in unit:
        return MANDARIN[feature] if feature in MANDARIN else split_names(unit.get("speaker_list"), path)
    file = (folder / str(unit[feature])).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise CheckpointError(f"{path}: {feature} of linguistic_unit is a path outside the voice: it is not read")
    try:
        symbols = tuple(file.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"cannot read the symbols of {feature} from {file}; fetch the checkpoint again"
        ) from error
    if not symbols:
        raise CheckpointError(f"{file} names no symbols; fetch the checkpoint again")
    return symbols
