"""The MelGAN in the form that ONNX Runtime computes fastest; the samples are the same to float rounding.

Besides the layers of `flat`: the filter bank of a multi-band generator, which stuffs zeros between samples and filters
at the full rate, is one convolution at the sub-bands' rate whose output channels are the phases of the signal
(polyphase form).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from export.vocoders.flat import SubPixelUpsample, flat_conv
from export.vocoders.melgan import MelGAN, ResidualStack, Upsample
from export.vocoders.pqmf import polyphase


class FlatStack(nn.Module):
    """What a `ResidualStack` computes."""

    def __init__(self, source: nn.Module) -> None:
        super().__init__()
        assert isinstance(source, ResidualStack)
        self.config = source.config
        self.sides = source.sides
        self.shortcut = flat_conv(source.shortcut.weight, source.shortcut.bias)
        self.dilated = flat_conv(source.dilated.weight, source.dilated.bias, source.dilated.dilation[0])
        self.pointwise = flat_conv(source.pointwise.weight, source.pointwise.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, 1, T] → the same."""
        y = F.pad(F.leaky_relu(x, self.config.slope), (*self.sides, 0, 0), mode=self.config.padding)
        y = F.leaky_relu(self.dilated(y), self.config.slope)
        z: Tensor = self.shortcut(x) + self.pointwise(y)
        return z


class ServedMelGAN(nn.Module):
    """What a `MelGAN` computes."""

    def __init__(self, source: MelGAN) -> None:
        super().__init__()
        self.config = source.config
        self.input = flat_conv(source.input.weight, source.input.bias)
        self.upsamples = nn.ModuleList()
        self.stacks = nn.ModuleList()
        for upsample, stage in zip(source.upsamples, source.stacks, strict=True):
            assert isinstance(upsample, Upsample)
            assert isinstance(stage, nn.Sequential)
            conv = upsample.conv
            self.upsamples.append(
                SubPixelUpsample(conv.weight, conv.bias, upsample.scale, upsample.crop, upsample.replicated)
            )
            self.stacks.append(nn.Sequential(*(FlatStack(layer) for layer in stage)))
        self.output = flat_conv(source.output.weight, source.output.bias)
        self.synthesis = None if source.synthesis is None else polyphase(source.synthesis)

    def forward(self, mel: Tensor) -> Tensor:
        """mel [B, M, bands] → audio [B, M·hop_length] in -1…1."""
        config = self.config
        sides = (*config.sides(config.kernel), 0, 0)
        x = self.input(F.pad(mel.transpose(1, 2).unsqueeze(2), sides, mode=config.padding))
        for upsample, stack in zip(self.upsamples, self.stacks, strict=True):
            x = stack(upsample(F.leaky_relu(x, config.slope)))
        x = self.output(F.pad(F.leaky_relu(x, config.slope), sides, mode=config.padding)).squeeze(2)
        if config.tanh:
            x = x.tanh()
        if self.synthesis is not None:
            x = self.synthesis(x)
        audio: Tensor = x.transpose(1, 2).reshape(mel.shape[0], -1)
        return audio
