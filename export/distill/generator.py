"""The generator that is trained, and how it is written: as jik876's hifi-gan writes one, in float16."""

from __future__ import annotations

from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from export.errors import ExportError
from export.mel import MelFormat
from export.vocoders.hifigan import HiFiGAN, HiFiGANConfig
from export.vocoders.hifigan_layouts import JIK876

# Few samples at the wide layers, whose cost is theirs times the square of the width; 300 in all.
_SCALES = (5, 5, 4, 3)
# Multiples of the scale, so that every sample hears as many inputs (Odena et al. 2016, Deconvolution and Checkerboard
# Artifacts), and as odd or even as the scale, as the layout wants it.
_UPSAMPLE_KERNELS = (15, 15, 8, 9)
# HiFi-GAN V1's and V2's.
_BLOCK_KERNELS = (3, 7, 11)
_BLOCK_DILATIONS = ((1, 3, 5),) * 3
# What a repository may carry.
MAX_BYTES = 12_000_000


def generator_config(channels: int, mel: MelFormat) -> HiFiGANConfig:
    """Sizes of a generator for a mel spectrogram; `channels` are the first, halved by each stage.

    256 lie midway between HiFi-GAN V1's 512 and V2's 128: 3.5 M parameters against 13.9 M and 0.9 M. All widths are
    then multiples of 16, which a GPU's matrix units want. Raises `ExportError` where it cannot be built.
    """
    config = HiFiGANConfig(
        bands=mel.bands,
        channels=tuple(channels >> stage for stage in range(len(_SCALES) + 1)),
        kernel=7,
        scales=_SCALES,
        upsample_kernels=_UPSAMPLE_KERNELS,
        crops=tuple((kernel - scale) // 2 for kernel, scale in zip(_UPSAMPLE_KERNELS, _SCALES, strict=True)),
        block_kernels=_BLOCK_KERNELS,
        block_dilations=_BLOCK_DILATIONS,
        slope=0.1,
    )
    if channels < 1 or channels % 2 ** len(_SCALES):
        raise ExportError(f"{channels} channels cannot be halved {len(_SCALES)} times: take a multiple of 16")
    if config.hop_length != mel.hop_length:
        raise ExportError(f"the generator makes {config.hop_length} samples of a frame, the voice {mel.hop_length}")
    return config


def layout(config: HiFiGANConfig, mel: MelFormat) -> dict[str, Any]:
    """`config.json` of a generator: jik876's keys, and two that say how a magnitude of the mel is written."""
    return {
        "resblock": "1",
        "upsample_rates": list(config.scales),
        "upsample_kernel_sizes": list(config.upsample_kernels),
        "upsample_initial_channel": config.channels[0],
        "resblock_kernel_sizes": list(config.block_kernels),
        "resblock_dilation_sizes": [list(dilations) for dilations in config.block_dilations],
        "num_mels": config.bands,
        "sampling_rate": mel.sample_rate,
        "hop_size": mel.hop_length,
        "n_fft": mel.n_fft,
        "win_size": mel.win_length,
        "fmin": mel.fmin,
        "fmax": mel.fmax,
        "mel_scale": mel.scale,
        "mel_normalised": mel.normalised,
    }


def packed(generator: HiFiGAN) -> bytes:
    """The weights as a safetensors file in float16. Raises `ExportError` beyond `MAX_BYTES` and for NaN."""
    state: dict[str, Tensor] = {}
    for name, layer in JIK876.of(generator).items():
        for parameter, value in layer.state_dict().items():
            state[f"{name}.{parameter}"] = value.to("cpu", torch.float16).contiguous()
    if not all(bool(value.isfinite().all()) for value in state.values()):
        raise ExportError("the generator has weights that are no numbers in float16: its training went wrong")
    content = save(state)
    if len(content) > MAX_BYTES:
        raise ExportError(
            f"the generator takes {len(content) / 1e6:.1f} MB in float16, {MAX_BYTES / 1e6:.0f} are allowed: "
            "take fewer channels"
        )
    return content
