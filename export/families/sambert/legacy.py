"""Reads voices of ModelScope's first release (v1.0) as if they were of today.

Then, one `configuration.json` described all voices of a checkpoint, each voice had its symbols in text files, and the
vocoder was configured and named like jik876's HiFi-GAN. The networks are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from export.checkpoint_files import read_checkpoint, tensors
from export.errors import CheckpointError
from export.families.sambert.config import EMBEDDINGS
from export.families.sambert.files import Parts, check_units, section, split_names
from export.families.sambert.symbols import MANDARIN

CHECKPOINT = "pytorch_model.bin"

_RENAMED = (
    (re.compile(r"^ups\.(\d+)\."), r"transpose_upsamples.\1.1."),
    (re.compile(r"^repeat_ups\."), "repeat_upsamples."),
    (re.compile(r"^resblocks\."), "conv_blocks."),
)
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
_VOCODER = {
    "in_channels": "num_mels",
    "channels": "upsample_initial_channel",
    "upsample_scales": "upsample_rates",
    "upsample_kernal_sizes": "upsample_kernel_sizes",
    "resblock_kernel_sizes": "resblock_kernel_sizes",
    "resblock_dilations": "resblock_dilation_sizes",
}
# What could not be configured then.
_FIXED = {
    "out_channels": 1,
    "kernel_size": 7,
    "repeat_upsample": True,
    "bias": True,
    "causal": True,
    "nonlinear_activation": "LeakyReLU",
    "nonlinear_activation_params": {"negative_slope": 0.1},
    "use_weight_norm": True,
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
    if str(vocoder.get("resblock")) != "1":
        raise CheckpointError(f"{path}: the vocoder's resblock is {str(vocoder.get('resblock'))[:40]}; only 1 is known")
    acoustic_path, vocoder_path = folder / "am" / CHECKPOINT, folder / "vocoder" / CHECKPOINT
    return Parts(
        params=section(acoustic, path, "am"),
        acoustic=tensors(read_checkpoint(acoustic_path), "fsnet", path=acoustic_path),
        vocoder_params=_renamed_settings(vocoder, _VOCODER, path) | _FIXED,
        vocoder=_renamed_tensors(tensors(read_checkpoint(vocoder_path), "generator", path=vocoder_path)),
        audio=((path, _renamed_settings(vocoder, _AUDIO, path)),),
        symbols={feature: _symbols(feature, unit, folder, path) for feature in EMBEDDINGS},
        arrays=(folder / "am", folder),
        sources=(path, acoustic_path, vocoder_path),
    )


def _renamed_settings(vocoder: Mapping[str, Any], names: Mapping[str, str], path: Path) -> dict[str, Any]:
    if missing := [name for name in names.values() if name not in vocoder]:
        raise CheckpointError(
            f"{path} has no {', '.join(missing)} under vocoder: use the voice's own configuration.json"
        )
    return {ours: vocoder[theirs] for ours, theirs in names.items()}


def _renamed_tensors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for name, value in state.items():
        for pattern, replacement in _RENAMED:
            name = pattern.sub(replacement, name)
        renamed[name] = value
    return renamed


def _symbols(feature: str, unit: Mapping[str, Any], folder: Path, path: Path) -> tuple[str, ...]:
    """A feature's symbols: a line each in a file of the voice, or else those that every voice has."""
    if feature not in unit:
        return MANDARIN[feature] if feature in MANDARIN else split_names(unit.get("speaker_list"), path)
    file = (folder / str(unit[feature])).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise CheckpointError(f"{path}: {feature} of linguistic_unit is a path outside the voice: it is not read")
    try:
        return tuple(file.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"cannot read the symbols of {feature} from {file}; fetch the checkpoint again"
        ) from error
