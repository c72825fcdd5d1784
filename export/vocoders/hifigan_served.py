"""HiFi-GAN in the form that ONNX Runtime computes fastest; the samples are the same to float rounding.

* Convolutions along one axis are 2-D convolutions of height 1: only those get ONNX Runtime's blocked layout.
* A stage's upsampling is one convolution at the lower rate whose output channels are `scale` samples each (sub-pixel
  convolution, Shi et al. 2016, arXiv 1609.05158): of the transposed convolution, and of KAN-TTS's convolution of the
  repeated signal, which hears the same few inputs.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.vocoders.flat import flat_conv
from export.vocoders.hifigan import OUTPUT_SLOPE, HiFiGAN, ResidualBlock, SameConv, SourceConv, Upsample


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


class SubPixelUpsample(nn.Module):
    """What an `Upsample` computes."""

    def __init__(self, source: Upsample) -> None:
        super().__init__()
        self.scale = source.scale
        weight, bias, self.edges = phases(source)
        self.conv = flat_conv(weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, 1, T] → [B, outputs, 1, scale·T]."""
        batch, _, _, length = x.shape
        y = self.conv(F.pad(x, self.edges)).reshape(batch, -1, self.scale, length)
        samples: Tensor = y.transpose(2, 3).reshape(batch, -1, 1, length * self.scale)
        return samples


def phases(source: Upsample) -> tuple[Tensor, Tensor, tuple[int, int]]:
    """An upsampling as a convolution at its input's rate, read off its answers to impulses.

    Returns weight [outputs·scale, inputs, kernel], bias [outputs·scale] and the padding of the input. An output's
    `scale` samples are successive channels.
    """
    layer = copy.deepcopy(source).double()
    inputs, outputs, kernel = layer.transposed.weight.shape
    bias = torch.zeros(outputs, dtype=torch.float64)
    for part in (layer.transposed, layer.repeated):
        if part is not None and part.bias is not None:
            bias += part.bias.detach()
            part.bias = None
    if layer.repeated is not None:
        kernel = max(kernel, layer.repeated.kernel_size[0])
    reach = kernel // source.scale + 1
    impulses = torch.zeros(inputs, inputs, 2 * reach + 1, dtype=torch.float64)
    impulses[range(inputs), range(inputs), reach] = 1.0
    with torch.no_grad():
        answers = layer(impulses).reshape(inputs, outputs, 2 * reach + 1, source.scale)
    # [input, output, time, phase] → [output, phase, input, tap]: what hears an impulse later hears an earlier input.
    taps = answers.permute(1, 3, 0, 2).flip(3)
    heard = taps.abs().sum((0, 1, 2)).nonzero().flatten()
    first, last = int(heard.min()), int(heard.max())
    weight = taps[..., first : last + 1].reshape(outputs * source.scale, inputs, -1)
    return weight.float(), bias.float().repeat_interleave(source.scale), (reach - first, last - reach)


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
        for i, dilated in enumerate(self.dilated):
            y = dilated(F.leaky_relu(x, self.slope))
            if self.second:
                y = self.second[i](F.leaky_relu(y, self.slope))
            x = x + y
        return x


class ServedHiFiGAN(nn.Module):
    """What a `HiFiGAN` computes."""

    def __init__(self, source: HiFiGAN) -> None:
        super().__init__()
        self.config = source.config
        self.input = FlatConv(source.input)
        self.upsamples = nn.ModuleList()
        self.stages = nn.ModuleList()
        for upsample, blocks in zip(source.upsamples, source.stages, strict=True):
            assert isinstance(upsample, Upsample)
            assert isinstance(blocks, nn.ModuleList)
            self.upsamples.append(SubPixelUpsample(upsample))
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
