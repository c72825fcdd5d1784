"""HiFi-GAN in the form that ONNX Runtime computes fastest; the samples are the same to float rounding.

Besides the layers of `flat`: a stage's two ways of upsampling, the transposed convolution and KAN-TTS's convolution of
the repeated signal, which hears the same few inputs, are one sub-pixel convolution.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.vocoders.flat import SubPixelUpsample, flat_conv
from export.vocoders.hifigan import OUTPUT_SLOPE, HiFiGAN, ResidualBlock, SameConv, SourceConv, Upsample, residual


class FlatConv(nn.Module):
    """What a `SameConv` or a `SourceConv` computes, with height 1."""

    def __init__(self, source: nn.Module) -> None:
        super().__init__()
        assert isinstance(source, SameConv | SourceConv)
        self.edges = source.edges
        self.conv = flat_conv(source.weight, source.bias, source.dilation[0])
        self.conv.stride = (1, source.stride[0])

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, 1, T] → [B, outputs, 1, T / stride]."""
        y: Tensor = self.conv(F.pad(x, self.edges))
        return y


def sub_pixel(source: nn.Module) -> SubPixelUpsample:
    """What an `Upsample` computes, with height 1."""
    assert isinstance(source, Upsample)
    weight, bias = source.transposed.weight.detach(), source.transposed.bias
    crop = source.crop
    if source.repeated is not None:
        repeated, its_crop = as_transposed(source.repeated, source.scale)
        # Both in one: as long to the left of what is kept, and to the right.
        crop = max(source.crop, its_crop)
        weight, repeated = F.pad(weight, (crop - source.crop, 0)), F.pad(repeated, (crop - its_crop, 0))
        kernel = max(weight.shape[2], repeated.shape[2])
        weight = F.pad(weight, (0, kernel - weight.shape[2])) + F.pad(repeated, (0, kernel - repeated.shape[2]))
        if bias is not None and source.repeated.bias is not None:
            bias = bias + source.repeated.bias
    return SubPixelUpsample(weight, bias, source.scale, crop, source.replicated)


def as_transposed(conv: SameConv, scale: int) -> tuple[Tensor, int]:
    """The convolution of a signal with each sample repeated `scale` times, as a transposed convolution of the signal.

    Returns weight [inputs, outputs, kernel + scale - 1], and the samples to crop on the left.
    """
    weight = conv.weight.detach().transpose(0, 1).flip(2)
    copies = [F.pad(weight, (shift, scale - 1 - shift)) for shift in range(scale)]
    return torch.stack(copies).sum(0), conv.edges[1]


class FlatBlock(nn.Module):
    """What a `ResidualBlock` computes."""

    def __init__(self, source: nn.Module) -> None:
        super().__init__()
        assert isinstance(source, ResidualBlock)
        self.slope = source.slope
        self.dilated = nn.ModuleList(map(FlatConv, source.dilated))
        self.second = nn.ModuleList(map(FlatConv, source.second))

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, 1, T] → the same."""
        return residual(x, self.dilated, self.second, self.slope)


class ServedHiFiGAN(nn.Module):
    """What a `HiFiGAN` computes."""

    def __init__(self, source: HiFiGAN) -> None:
        super().__init__()
        self.config = source.config
        self.input = FlatConv(source.input)
        self.upsamples = nn.ModuleList()
        self.stages = nn.ModuleList()
        for upsample, blocks in zip(source.upsamples, source.stages, strict=True):
            assert isinstance(blocks, nn.ModuleList)
            self.upsamples.append(sub_pixel(upsample))
            self.stages.append(nn.ModuleList(FlatBlock(block) for block in blocks))
        self.sources = nn.ModuleList(map(FlatConv, source.sources))
        self.output = FlatConv(source.output)

    def forward(self, mel: Tensor, excitation: Tensor | None = None) -> Tensor:
        """mel [B, M, bands], excitation [B, M·hop_length] of the harmonic source → audio [B, M·hop_length] in -1…1."""
        x = self.input(mel.transpose(1, 2).unsqueeze(2))
        for stage, (upsample, blocks) in enumerate(zip(self.upsamples, self.stages, strict=True)):
            if self.config.periodic:
                x = x + torch.sin(x)
            x = upsample(F.leaky_relu(x, self.config.slope))
            if excitation is not None:
                x = x + self.sources[stage](excitation[:, None, None])
            assert isinstance(blocks, nn.ModuleList)
            first, *others = (block(x) for block in blocks)
            x = sum(others, start=first) / len(blocks)
        audio: Tensor = self.output(F.leaky_relu(x, OUTPUT_SLOPE)).tanh().flatten(1)
        return audio
