"""Small HiFi-GANs of every variant, for tests."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from export.vocoders.hifigan import HiFiGAN, HiFiGANConfig


@st.composite
def configs(draw: st.DrawFn, harmonics: int = 0) -> HiFiGANConfig:
    """Sizes that no checkpoint has, and every combination of variants."""
    scales = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    kernels = tuple(scale + draw(st.integers(0, 8)) for scale in scales)
    causal = draw(st.booleans())
    if harmonics and not causal:
        scales = tuple(2 * scale for scale in scales)
        kernels = tuple(2 * kernel for kernel in kernels)
    periodic = draw(st.booleans())
    replicated = 1 if causal and not periodic and not harmonics and draw(st.booleans()) else 0
    if replicated:
        kernels = tuple(2 * scale for scale in scales)
    surplus = [kernel - scale for kernel, scale in zip(kernels, scales, strict=True)]
    blocks = draw(st.integers(1, 3))
    return HiFiGANConfig(
        bands=draw(st.integers(1, 5)),
        channels=tuple(draw(st.integers(1, 6)) for _ in range(len(scales) + 1)),
        kernel=draw(st.sampled_from([1, 3, 7])),
        scales=scales,
        upsample_kernels=kernels,
        crops=tuple(room * replicated if causal else draw(st.integers(0, room)) for room in surplus),
        block_kernels=tuple(draw(st.sampled_from([1, 3, 5])) for _ in range(blocks)),
        block_dilations=tuple(tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=2))) for _ in range(blocks)),
        slope=draw(st.floats(0.01, 0.3)),
        paired=draw(st.booleans()),
        bias=draw(st.booleans()) or harmonics > 0,
        block_bias=draw(st.booleans()),
        causal=causal,
        replicated=replicated,
        periodic=periodic,
        harmonics=harmonics,
        sample_rate=16000 if harmonics else 0,
    )


def random_generator(config: HiFiGANConfig) -> HiFiGAN:
    """A generator with random weights, the same ones each time."""
    torch.manual_seed(0)
    return HiFiGAN(config).eval().requires_grad_(False)


def random_mel(batch: int, frames: int, bands: int) -> Tensor:
    """A mel spectrogram of random numbers, the same ones each time."""
    return torch.randn(batch, frames, bands, generator=torch.Generator().manual_seed(frames))


def in_double(module: nn.Module, *inputs: Tensor) -> Tensor:
    """What a module computes in float64: float32 of PyTorch is wrong on some processors."""
    result: Tensor = module.double()(*(value.double() for value in inputs))
    return result
