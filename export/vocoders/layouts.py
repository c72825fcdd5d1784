"""Vocoders from the folders that the projects that trained them write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from torch import Tensor

from export.checkpoint_files import read_array, read_checkpoint, read_json, read_safetensors, read_yaml, tensors
from export.errors import CheckpointError, listed
from export.mel import MelFormat, kantts_format
from export.vocoders.hifigan import HiFiGAN
from export.vocoders.hifigan_layouts import jik876_generator, parallelwavegan_hifigan
from export.vocoders.kantts_hifigan import kantts_generator
from export.vocoders.melgan import MelGAN
from export.vocoders.melgan_layouts import descriptinc_melgan, parallelwavegan_melgan
from export.vocoders.nsf import F0Scale
from export.vocoders.served import served
from export.vocoders.settings import Params, flag, frequency, rate, section, setting
from export.vocoders.statistics import find_statistics
from export.vocoders.vocoder import Vocoder


class Layout(str, Enum):
    """Which project's files a vocoder is read from."""

    hifigan = "hifigan"
    melgan = "melgan"
    parallelwavegan = "parallelwavegan"
    kantts = "kantts"


# The mel spectrogram of descriptinc/melgan-neurips is fixed in its code.
_DESCRIPTINC_RATE, _DESCRIPTINC_HOP, _DESCRIPTINC_FFT = 22050, 256, 1024
# Mean and standard deviation of a voice's fundamental, which an acoustic model normalises by.
PITCH_STATISTICS = "mvn.npy"


def load_vocoder(layout: Layout, checkpoint: Path) -> Vocoder:
    """Load a vocoder from its folder, or from the one file of it that holds the generator.

    * `hifigan` (jik876/hifi-gan): `config.json` and `g_<steps>`, the highest, or `generator…`, also `.safetensors`.
    * `melgan` (descriptinc/melgan-neurips): a `.pt` file.
    * `parallelwavegan`: `config.yml`, `checkpoint-<steps>steps.pkl`, the highest, and `stats.npz` or `stats.npy`.
    * `kantts`: `config.yaml` and `ckpt/checkpoint_<steps>.pth`, the highest.

    Raises `CheckpointError`, which tells the layout that the files look like where that is another one.
    """
    try:
        return _LOADERS[layout](checkpoint)
    except CheckpointError as error:
        alike = _alike(checkpoint)
        if not alike or layout in alike:
            raise
        raise CheckpointError(f"{checkpoint} looks like the layout {alike[0].value}, not {layout.value}") from error


def _alike(checkpoint: Path) -> list[Layout]:
    """The layouts whose files are there."""
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    patterns = {
        Layout.hifigan: ("config.json", "g*"),
        Layout.parallelwavegan: ("config.yml", "checkpoint-*steps.pkl"),
        Layout.kantts: ("config.yaml", "ckpt/checkpoint_*.pth"),
        Layout.melgan: ("*.pt",),
    }
    return [layout for layout, names in patterns.items() if all(any(folder.glob(name)) for name in names)]


def _hifigan(checkpoint: Path) -> Vocoder:
    folder, path = _generator_file(checkpoint, "g_<steps> or generator…", r"g_(\d+)(?:\.\w+)?", r"generator.*")
    config_path = folder / "config.json"
    config = read_json(config_path)
    if path.suffix == ".safetensors":
        state = read_safetensors(path)
    else:
        state = tensors(read_checkpoint(path), "generator", path=path)
    generator = jik876_generator(config, state)
    mel = MelFormat(
        sample_rate=rate(config, "sampling_rate"),
        hop_length=rate(config, "hop_size"),
        bands=rate(config, "num_mels"),
        n_fft=rate(config, "n_fft"),
        win_length=rate(config, "win_size"),
        fmin=frequency(config, "fmin"),
        fmax=frequency(config, "fmax"),
        # Upstream knows one way to write a magnitude; scripts/distill_hifigan says which it trained on.
        scale=str(config.get("mel_scale", "ln"))[:20],
        statistics=None,
        normalised=flag(config, "mel_normalised", default=False),
    )
    return served(generator, mel, (config_path, path))


def _melgan(checkpoint: Path) -> Vocoder:
    _, path = _generator_file(checkpoint, "best_netG.pt or another .pt", r"best_netG\.pt", r".*\.pt")
    generator = descriptinc_melgan(tensors(read_checkpoint(path), path=path))
    mel = MelFormat(
        sample_rate=_DESCRIPTINC_RATE,
        hop_length=_DESCRIPTINC_HOP,
        bands=generator.config.bands,
        n_fft=_DESCRIPTINC_FFT,
        win_length=_DESCRIPTINC_FFT,
        fmin=0.0,
        fmax=None,
        scale="log10",
        statistics=None,
        normalised=False,
    )
    return served(generator, mel, (path,))


_PARALLELWAVEGAN: dict[str, Callable[[Params, Mapping[str, Tensor]], HiFiGAN | MelGAN]] = {
    "HiFiGANGenerator": lambda config, state: parallelwavegan_hifigan(section(config, "generator_params"), state),
    "MelGANGenerator": parallelwavegan_melgan,
}


def _parallelwavegan(checkpoint: Path) -> Vocoder:
    folder, path = _generator_file(checkpoint, "checkpoint-<steps>steps.pkl", r"checkpoint-(\d+)steps\.pkl")
    config_path = folder / "config.yml"
    config = read_yaml(config_path)
    kind = str(setting(config, "generator_type"))
    if kind not in _PARALLELWAVEGAN:
        raise CheckpointError(f"generator_type {kind[:60]} is not supported, only {' and '.join(_PARALLELWAVEGAN)}")
    if "sampling_rate_for_feats" in config:
        raise CheckpointError(f"{config_path}: mel spectrograms of another rate (sampling_rate_for_feats) do not fit")
    statistics_path, statistics = find_statistics(folder)
    generator = _PARALLELWAVEGAN[kind](config, tensors(read_checkpoint(path), "model", "generator", path=path))
    n_fft = rate(config, "fft_size")
    mel = MelFormat(
        sample_rate=rate(config, "sampling_rate"),
        hop_length=rate(config, "hop_size"),
        bands=rate(config, "num_mels"),
        n_fft=n_fft,
        win_length=n_fft if config.get("win_length") is None else rate(config, "win_length"),
        fmin=frequency(config, "fmin"),
        fmax=frequency(config, "fmax"),
        scale="log10",
        statistics=statistics,
        normalised=True,
    )
    return served(generator, mel, (config_path, path, statistics_path))


def _kantts(checkpoint: Path) -> Vocoder:
    inner = checkpoint / "ckpt" if checkpoint.is_dir() else checkpoint
    folder, path = _generator_file(inner, "checkpoint_<steps>.pth", r"checkpoint_(\d+)\.pth")
    config_path = folder.parent / "config.yaml"
    config = read_yaml(config_path)
    params: Any = config
    for key in ("Model", "Generator", "params"):
        params = params.get(key) if isinstance(params, Mapping) else None
    audio = config.get("audio_config")
    if not isinstance(params, Mapping) or not isinstance(audio, Mapping):
        raise CheckpointError(f"{config_path} lacks Model.Generator.params or audio_config: no vocoder of KAN-TTS")
    generator = kantts_generator(params, tensors(read_checkpoint(path), "model", "generator", path=path))
    if generator.source is None:
        return served(generator, kantts_format(audio), (config_path, path))
    pitch_path, scale = _pitch_scale(config_path.parent)
    return served(generator, kantts_format(audio), (config_path, path, pitch_path), scale)


def _pitch_scale(folder: Path) -> tuple[Path, F0Scale]:
    """The file of the fundamental's mean and standard deviation, which is the acoustic model's, and what it says."""
    voice = folder.resolve().parent
    for path in (place / PITCH_STATISTICS for place in (folder, voice / "am", voice / "sambert", voice)):
        if path.is_file():
            values = read_array(path).reshape(-1)
            if values.size != 2:
                raise CheckpointError(f"{path} has {values.size} values: a mean and a standard deviation are expected")
            return path, F0Scale(factor=float(values[1]), offset=float(values[0]))
    raise CheckpointError(
        f"{folder} has a source (NSF): put the {PITCH_STATISTICS} of its voice's acoustic model there"
    )


_LOADERS: dict[Layout, Callable[[Path], Vocoder]] = {
    Layout.hifigan: _hifigan,
    Layout.melgan: _melgan,
    Layout.parallelwavegan: _parallelwavegan,
    Layout.kantts: _kantts,
}


def _generator_file(checkpoint: Path, wanted: str, *patterns: str) -> tuple[Path, Path]:
    """The folder of a checkpoint and the file in it that holds the generator.

    That is the file given, or the one whose name matches the first pattern that any matches: where the pattern has a
    number, that of the highest. Raises `CheckpointError` where there is none, or more than one without numbers.
    """
    if checkpoint.is_file():
        return checkpoint.parent, checkpoint
    if not checkpoint.is_dir():
        raise CheckpointError(f"no checkpoint at {checkpoint}: give the folder or the generator's file")
    for pattern in patterns:
        found = {path: match for path in checkpoint.iterdir() if (match := re.fullmatch(pattern, path.name))}
        steps = {path: int(match[1]) for path, match in found.items() if match.groups()}
        if steps:
            return checkpoint, max(steps, key=lambda path: steps[path])
        if len(found) > 1:
            names = listed(sorted(path.name for path in found))
            raise CheckpointError(f"{checkpoint} has several generators: give one of the files {names}")
        if found:
            return checkpoint, next(iter(found))
    raise CheckpointError(f"{checkpoint} has no generator: no file {wanted}")
