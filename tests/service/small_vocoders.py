"""Small vocoders of random weights for mel spectrograms at 24 kHz with 480 samples a frame, in their authors' files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import Tensor

_BANDS, _SCALES, _CHANNELS = 80, (8, 5, 4, 3), 32
_AUDIO = {"sampling_rate": 24000, "hop_size": 480, "num_mels": _BANDS, "fmin": 0, "fmax": 8000}

State = dict[str, Tensor]


def write_hifigan(folder: Path) -> None:
    """jik876's files: `config.json` and `generator_v1`."""
    kernels = [2 * scale + scale % 2 for scale in _SCALES]
    config = {
        "resblock": "2",
        "upsample_rates": list(_SCALES),
        "upsample_kernel_sizes": kernels,
        "upsample_initial_channel": _CHANNELS,
        "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1, 3]],
        "n_fft": 1920,
        "win_size": 1920,
        **_AUDIO,
    }
    state = _convolution("conv_pre", _CHANNELS, _BANDS, 7)
    for stage, kernel in enumerate(kernels):
        inputs, outputs = _CHANNELS >> stage, _CHANNELS >> (stage + 1)
        state |= _convolution(f"ups.{stage}", inputs, outputs, kernel, bias=outputs)
        for number in range(2):
            state |= _convolution(f"resblocks.{stage}.convs.{number}", outputs, outputs, 3)
    state |= _convolution("conv_post", 1, _CHANNELS >> len(_SCALES), 7)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.save({"generator": state}, folder / "generator_v1")


def write_melgan(folder: Path) -> None:
    """ParallelWaveGAN's files: `config.yml`, `checkpoint-1steps.pkl` and `stats.npz`."""
    config = {
        "generator_type": "MelGANGenerator",
        "generator_params": {
            "in_channels": _BANDS,
            "out_channels": 1,
            "kernel_size": 7,
            "channels": _CHANNELS,
            "upsample_scales": list(_SCALES),
            "stacks": 1,
            "stack_kernel_size": 3,
            "bias": True,
        },
        "format": "npy",
        "fft_size": 1920,
        "win_length": None,
        **_AUDIO,
    }
    state = _convolution("melgan.1", _CHANNELS, _BANDS, 7)
    place = 2
    for stage, scale in enumerate(_SCALES):
        inputs, outputs = _CHANNELS >> stage, _CHANNELS >> (stage + 1)
        state |= _convolution(f"melgan.{place + 1}", inputs, outputs, 2 * scale, bias=outputs)
        for part, width in (("stack.2", 3), ("stack.4", 1), ("skip_layer", 1)):
            state |= _convolution(f"melgan.{place + 2}.{part}", outputs, outputs, width)
        place += 3
    state |= _convolution(f"melgan.{place + 2}", 1, _CHANNELS >> len(_SCALES), 7)
    folder.mkdir()
    (folder / "config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    torch.save({"model": {"generator": state}}, folder / "checkpoint-1steps.pkl")
    np.savez(folder / "stats.npz", mean=np.zeros(_BANDS), scale=np.ones(_BANDS))


def _convolution(name: str, first: int, second: int, width: int, bias: int | None = None) -> State:
    generator = torch.Generator().manual_seed(len(name) * 1000 + width)
    weight = torch.randn(first, second, width, generator=generator) / math.sqrt(second * width)
    magnitude = torch.linalg.vector_norm(weight.flatten(1), dim=1).reshape(-1, 1, 1)
    return {
        f"{name}.weight_v": weight,
        f"{name}.weight_g": magnitude,
        f"{name}.bias": torch.zeros(first if bias is None else bias),
    }
