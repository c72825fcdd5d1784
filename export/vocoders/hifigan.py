"""HiFi-GAN generator (Kong et al. 2020, arXiv 2010.05646) and KAN-TTS's variant of it, as they were trained.

KAN-TTS has x ← x + sin x before each upsampling, a convolution of the repeated signal beside the transposed one, causal
convolutions, and a harmonic source (`nsf.py`). What is served is in `hifigan_served.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.vocoders.nsf import HarmonicSource

# Of the LeakyReLU before the last convolution, everywhere: upstream's forgotten argument, now part of the checkpoints.
OUTPUT_SLOPE = 0.01


@dataclass(frozen=True)
class HiFiGANConfig:
    """Sizes and variant of a generator.

    `channels` are those after the input convolution and after each stage; the other tuples have an entry for each stage
    or, if called `block_`, for each residual block of a stage. `kernel` is that of the input's, the output's and the
    repeated signal's convolution. Of a transposed convolution's surplus samples, `crops` are dropped on the left and
    the rest on the right; `replicated` copies of its first input go before it. The convolutions of a residual block
    come in pairs ("resblock 1") or alone. `periodic` is KAN-TTS's variant. `harmonics` counts the sines of the harmonic
    source, 0 without one; it needs `sample_rate`.
    """

    bands: int
    channels: tuple[int, ...]
    kernel: int
    scales: tuple[int, ...]
    upsample_kernels: tuple[int, ...]
    crops: tuple[int, ...]
    block_kernels: tuple[int, ...]
    block_dilations: tuple[tuple[int, ...], ...]
    slope: float
    paired: bool = True
    bias: bool = True
    block_bias: bool = True
    causal: bool = False
    replicated: int = 0
    periodic: bool = False
    harmonics: int = 0
    sample_rate: int = 0

    @property
    def hop_length(self) -> int:
        """Samples per mel frame."""
        return prod(self.scales)


class SameConv(nn.Conv1d):
    """Convolution of stride 1 that keeps the length; a causal one hears no later sample."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, dilation: int = 1, *, causal: bool, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, kernel, dilation=dilation, bias=bias)
        reach = dilation * (kernel - 1)
        left = reach if causal else reach // 2
        self.edges = (left, reach - left)

    def forward(self, input: Tensor) -> Tensor:
        """[B, inputs, T] → [B, outputs, T]."""
        return super().forward(F.pad(input, self.edges))


def residual(x: Tensor, dilated: nn.ModuleList, second: nn.ModuleList, slope: float) -> Tensor:
    """Add to x what each convolution of a residual block makes of it, with its second one if there are any."""
    for i, convolution in enumerate(dilated):
        y = convolution(F.leaky_relu(x, slope))
        if second:
            y = second[i](F.leaky_relu(y, slope))
        x = x + y
    return x


class ResidualBlock(nn.Module):
    """Dilated convolutions, each followed by an undilated one where they come in pairs, and added to their input."""

    def __init__(self, config: HiFiGANConfig, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.slope = config.slope
        options = {"causal": config.causal, "bias": config.block_bias}
        self.dilated = nn.ModuleList(SameConv(channels, channels, kernel, d, **options) for d in dilations)
        seconds = dilations if config.paired else ()
        self.second = nn.ModuleList(SameConv(channels, channels, kernel, **options) for _ in seconds)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, T] → the same."""
        return residual(x, self.dilated, self.second, self.slope)


class Upsample(nn.Module):
    """Transposed convolution whose output is exactly `scale` times as long, and KAN-TTS's convolution beside it."""

    def __init__(self, config: HiFiGANConfig, stage: int) -> None:
        super().__init__()
        inputs, outputs = config.channels[stage : stage + 2]
        self.scale, self.crop, self.replicated = config.scales[stage], config.crops[stage], config.replicated
        kernel, bias = config.upsample_kernels[stage], config.bias
        self.transposed = nn.ConvTranspose1d(inputs, outputs, kernel, stride=self.scale, bias=bias)
        # Of the signal with each sample `scale` times.
        self.repeated = (
            SameConv(inputs, outputs, config.kernel, causal=config.causal, bias=bias) if config.periodic else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, T] → [B, outputs, scale·T]."""
        before = F.pad(x, (self.replicated, 0), mode="replicate")
        y: Tensor = self.transposed(before)[..., self.crop : self.crop + self.scale * x.shape[-1]]
        return y if self.repeated is None else y + self.repeated(x.repeat_interleave(self.scale, dim=-1))


class SourceConv(nn.Conv1d):
    """The harmonic source brought down to a stage's rate: windows of two strides, or one sample at the full rate."""

    def __init__(self, outputs: int, stride: int, *, causal: bool) -> None:
        super().__init__(1, outputs, 2 * stride if stride > 1 else 1, stride=stride)
        surplus = self.kernel_size[0] - 1
        self.edges = (surplus, 0) if causal else (stride // 2, surplus - stride // 2)

    def forward(self, input: Tensor) -> Tensor:
        """[B, 1, stride·T] → [B, outputs, T]."""
        return super().forward(F.pad(input, self.edges))


class HiFiGAN(nn.Module):
    """Mel spectrogram → waveform."""

    def __init__(self, config: HiFiGANConfig) -> None:
        super().__init__()
        self.config = config
        options = {"causal": config.causal, "bias": config.bias}
        self.input = SameConv(config.bands, config.channels[0], config.kernel, **options)
        self.upsamples = nn.ModuleList(Upsample(config, stage) for stage in range(len(config.scales)))
        kinds = list(zip(config.block_kernels, config.block_dilations, strict=True))
        self.stages = nn.ModuleList(
            nn.ModuleList(ResidualBlock(config, channels, kernel, dilations) for kernel, dilations in kinds)
            for channels in config.channels[1:]
        )
        self.output = SameConv(config.channels[-1], 1, config.kernel, **options)
        self.source = (
            HarmonicSource(config.harmonics, config.sample_rate, config.hop_length) if config.harmonics else None
        )
        self.sources = nn.ModuleList(
            SourceConv(channels, prod(config.scales[stage:]), causal=config.causal)
            for stage, channels in enumerate(config.channels[1:], start=1)
            if config.harmonics
        )

    def forward(self, mel: Tensor, excitation: Tensor | None = None) -> Tensor:
        """mel [B, M, bands], excitation [B, M·hop_length] of the harmonic source → audio [B, M·hop_length] in -1…1."""
        return self.waveform(self.body(mel, excitation))

    def body(self, mel: Tensor, excitation: Tensor | None = None) -> Tensor:
        """The same inputs → [B, last of the channels, M·hop_length], of which `waveform` makes the audio."""
        x: Tensor = self.input(mel.transpose(1, 2))
        for stage, (upsample, blocks) in enumerate(zip(self.upsamples, self.stages, strict=True)):
            if self.config.periodic:
                x = x + torch.sin(x)
            x = upsample(F.leaky_relu(x, self.config.slope))
            if excitation is not None:
                x = x + self.sources[stage](excitation.unsqueeze(1))
            assert isinstance(blocks, nn.ModuleList)
            x = torch.stack([block(x) for block in blocks]).mean(0)
        return x

    def waveform(self, x: Tensor) -> Tensor:
        """[B, last of the channels, T] → audio [B, T] in -1…1."""
        audio: Tensor = self.output(F.leaky_relu(x, OUTPUT_SLOPE)).tanh().squeeze(1)
        return audio
