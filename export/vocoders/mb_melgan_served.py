"""The multi-band MelGAN in the form that ONNX Runtime computes fastest; the samples are the same to float rounding.

Three rewritings, measured in docs/benchmarks.md:

* Convolutions along one axis are 2-D convolutions of height 1: only those get ONNX Runtime's blocked layout.
* A transposed convolution of kernel 2s and stride s is a convolution of kernel 2 whose output channels are s samples
  each (sub-pixel convolution, Shi et al. 2016, arXiv 1609.05158).
* The filter bank, which stuffs three zeros between samples and filters at the full rate, is one convolution at the
  sub-bands' rate whose output channels are the four phases of the signal (polyphase form).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.vocoders.mb_melgan import SLOPE, MultiBandMelGAN, PQMFSynthesis, ResidualStack, Upsample


def flat_conv(weight: Tensor, bias: Tensor | None, dilation: int = 1) -> nn.Conv2d:
    """A convolution of height 1 with the weight [out, in, kernel] of one along a single axis."""
    outputs, inputs, kernel = weight.shape
    conv = nn.Conv2d(inputs, outputs, (1, kernel), dilation=(1, dilation), bias=bias is not None)
    conv.weight = nn.Parameter(weight.detach().unsqueeze(2).contiguous())
    if bias is not None:
        conv.bias = nn.Parameter(bias.detach().clone())
    return conv


def reflect(x: Tensor, width: int) -> Tensor:
    """x [B, C, 1, T] with `width` reflected samples on either side."""
    return F.pad(x, (width, width, 0, 0), mode="reflect")


class SubPixelUpsample(nn.Module):
    """What an `Upsample` computes."""

    def __init__(self, source: Upsample) -> None:
        super().__init__()
        weight = source.conv.weight.detach()
        inputs, self.outputs, kernel = weight.shape
        self.scale = kernel // 2
        self.crop = self.scale // 2
        # Output sample s·t + j hears input t through tap j and input t − 1 through tap j + s.
        taps = torch.stack([weight[:, :, self.scale :], weight[:, :, : self.scale]], dim=-1)
        assert source.conv.bias is not None
        self.conv = flat_conv(
            taps.permute(1, 2, 0, 3).reshape(self.outputs * self.scale, inputs, 2),
            source.conv.bias.repeat_interleave(self.scale),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, 1, T] → [B, outputs, 1, scale·T]."""
        length = x.shape[3]
        y = self.conv(F.pad(x, (1, 1))).reshape(x.shape[0], self.outputs, self.scale, length + 1)
        y = y.transpose(2, 3).reshape(x.shape[0], self.outputs, 1, (length + 1) * self.scale)
        cropped: Tensor = y[..., self.crop : self.crop + self.scale * length]
        return cropped


class FlatStack(nn.Module):
    """What a `ResidualStack` computes."""

    def __init__(self, source: nn.Module) -> None:
        super().__init__()
        assert isinstance(source, ResidualStack)
        self.dilation = source.dilation
        self.shortcut = flat_conv(source.shortcut.weight, source.shortcut.bias)
        self.dilated = flat_conv(source.dilated.weight, source.dilated.bias, source.dilation)
        self.pointwise = flat_conv(source.pointwise.weight, source.pointwise.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, 1, T] → the same."""
        y = F.leaky_relu(self.dilated(reflect(F.leaky_relu(x, SLOPE), self.dilation)), SLOPE)
        z: Tensor = self.shortcut(x) + self.pointwise(y)
        return z


def polyphase(bank: PQMFSynthesis) -> nn.Conv1d:
    """The filter bank as one convolution: sub-bands [B, subbands, T] → phases [B, subbands, T] of the signal."""
    bands = bank.upsample.in_channels
    reach = -(-bank.filter.kernel_size[0] // (2 * bands))
    impulses = torch.zeros(bands, bands, 2 * reach + 1)
    impulses[range(bands), range(bands), reach] = 1.0
    with torch.no_grad():
        answers = bank(impulses).reshape(bands, 2 * reach + 1, bands)
    # [sub-band, time, phase] → [phase, sub-band, tap]; a convolution in PyTorch is a correlation, hence the flip.
    conv = nn.Conv1d(bands, bands, 2 * reach + 1, padding=reach, bias=False)
    conv.weight = nn.Parameter(answers.permute(2, 0, 1).flip(2).contiguous())
    return conv


class ServedMultiBandMelGAN(nn.Module):
    """What a `MultiBandMelGAN` computes."""

    def __init__(self, source: MultiBandMelGAN) -> None:
        super().__init__()
        self.edge = source.edge
        self.input = flat_conv(source.input.weight, source.input.bias)
        self.upsamples = nn.ModuleList()
        self.stacks = nn.ModuleList()
        for upsample, stage in zip(source.upsamples, source.stacks, strict=True):
            assert isinstance(upsample, Upsample)
            assert isinstance(stage, nn.Sequential)
            self.upsamples.append(SubPixelUpsample(upsample))
            self.stacks.append(nn.Sequential(*(FlatStack(layer) for layer in stage)))
        self.output = flat_conv(source.output.weight, source.output.bias)
        self.synthesis = polyphase(source.synthesis)

    def forward(self, mel: Tensor) -> Tensor:
        """mel [B, M, bands] → audio [B, M·hop_length] in -1…1."""
        x = self.input(reflect(mel.transpose(1, 2).unsqueeze(2), self.edge))
        for upsample, stack in zip(self.upsamples, self.stacks, strict=True):
            x = stack(upsample(F.leaky_relu(x, SLOPE)))
        bands = self.output(reflect(F.leaky_relu(x, SLOPE), self.edge)).tanh().squeeze(2)
        audio: Tensor = self.synthesis(bands).transpose(1, 2).reshape(mel.shape[0], -1)
        return audio
