"""MelGAN generator (Kumar et al. 2019, arXiv 1910.06711), also the multi-band one (Yang et al. 2020, arXiv 2005.05106).

Layer by layer as in descriptinc/melgan-neurips, ParallelWaveGAN and TensorFlowTTS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from export.vocoders.pqmf import PQMFSynthesis


@dataclass(frozen=True)
class MelGANConfig:
    """Sizes of a generator.

    `channels` are those of the first layer and of each upsampling by one of `scales`; `kernel` is that of the first and
    the last convolution. A generator of several `subbands` ends in a filter bank of `taps`. `padding` is a mode of
    `torch.nn.functional.pad`; a `causal` generator pads on the left only. Of an odd scale's surplus samples one more is
    dropped on the left, or, where `odd_right`, on the right as TensorFlow does.
    """

    bands: int
    channels: tuple[int, ...]
    scales: tuple[int, ...]
    kernel: int
    stacks: int
    stack_kernel: int = 3
    subbands: int = 1
    taps: int = 0
    slope: float = 0.2
    padding: str = "reflect"
    bias: bool = True
    tanh: bool = True
    causal: bool = False
    odd_right: bool = False

    @property
    def hop_length(self) -> int:
        """Samples per mel frame."""
        return self.subbands * math.prod(self.scales)

    @property
    def dilations(self) -> tuple[int, ...]:
        """Dilation of each residual stack of a stage: powers of its kernel."""
        return tuple(self.stack_kernel**i for i in range(self.stacks))

    def sides(self, kernel: int, dilation: int = 1) -> tuple[int, int]:
        """How much a convolution's input is padded on the left and on the right."""
        width = (kernel - 1) * dilation
        return (width, 0) if self.causal else (width // 2, width // 2)


class Upsample(nn.Module):
    """Transposed convolution of kernel 2·scale whose output is exactly `scale` times as long."""

    def __init__(self, inputs: int, outputs: int, scale: int, config: MelGANConfig) -> None:
        super().__init__()
        self.scale = scale
        # A causal one hears its first input twice, so that every sample hears two.
        self.replicated = 1 if config.causal else 0
        self.crop = scale if config.causal else (scale + (0 if config.odd_right else 1)) // 2
        self.conv = nn.ConvTranspose1d(inputs, outputs, 2 * scale, stride=scale, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, T] → [B, outputs, scale·T]."""
        y: Tensor = self.conv(F.pad(x, (self.replicated, 0), mode="replicate"))
        return y[..., self.crop : self.crop + self.scale * x.shape[2]]


class ResidualStack(nn.Module):
    """Dilated convolution and a 1×1 one, beside a 1×1 shortcut."""

    def __init__(self, channels: int, dilation: int, config: MelGANConfig) -> None:
        super().__init__()
        self.config = config
        self.sides = config.sides(config.stack_kernel, dilation)
        self.shortcut = nn.Conv1d(channels, channels, 1, bias=config.bias)
        self.dilated = nn.Conv1d(channels, channels, config.stack_kernel, dilation=dilation, bias=config.bias)
        self.pointwise = nn.Conv1d(channels, channels, 1, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, T] → [B, channels, T]."""
        y = F.pad(F.leaky_relu(x, self.config.slope), self.sides, mode=self.config.padding)
        y = F.leaky_relu(self.dilated(y), self.config.slope)
        z: Tensor = self.shortcut(x) + self.pointwise(y)
        return z


class MelGAN(nn.Module):
    """Mel spectrogram → waveform."""

    def __init__(self, config: MelGANConfig) -> None:
        super().__init__()
        self.config = config
        self.input = nn.Conv1d(config.bands, config.channels[0], config.kernel, bias=config.bias)
        self.upsamples = nn.ModuleList()
        self.stacks = nn.ModuleList()
        for scale, inputs, outputs in zip(config.scales, config.channels[:-1], config.channels[1:], strict=True):
            self.upsamples.append(Upsample(inputs, outputs, scale, config))
            self.stacks.append(nn.Sequential(*(ResidualStack(outputs, d, config) for d in config.dilations)))
        self.output = nn.Conv1d(config.channels[-1], config.subbands, config.kernel, bias=config.bias)
        self.synthesis = PQMFSynthesis(config.subbands, config.taps) if config.subbands > 1 else None

    def convolutions(self) -> list[nn.Conv1d | nn.ConvTranspose1d]:
        """Every convolution before the filter bank, in the order in which the signal passes them."""
        body: list[nn.Module] = [self.input]
        for upsample, stack in zip(self.upsamples, self.stacks, strict=True):
            body += [*upsample.modules(), *stack.modules()]
        body.append(self.output)
        return [layer for layer in body if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d)]

    def forward(self, mel: Tensor) -> Tensor:
        """mel [B, M, bands] → audio [B, M·hop_length] in -1…1."""
        config = self.config
        sides = config.sides(config.kernel)
        x = self.input(F.pad(mel.transpose(1, 2), sides, mode=config.padding))
        for upsample, stack in zip(self.upsamples, self.stacks, strict=True):
            x = stack(upsample(F.leaky_relu(x, config.slope)))
        x = self.output(F.pad(F.leaky_relu(x, config.slope), sides, mode=config.padding))
        if config.tanh:
            x = x.tanh()
        audio: Tensor = x if self.synthesis is None else self.synthesis(x)
        return audio.squeeze(1)
