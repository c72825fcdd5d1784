"""HiFT in the form that is served; what it computes is what `hift.Hift` does, to float rounding.

The layers are those of `export.vocoders.flat`, the Fourier transforms are convolutions with fixed weights, and what a
snake multiplies and divides by its frequency is in the weights of the convolutions around it. Padding after the last
frame is silenced in every layer, so that a mel in a batch with longer ones gives the samples that it gives alone.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.families.sculptor.fourier import InverseSpectrum, fourier_basis
from export.families.sculptor.hift import EPSILON, LOUDEST, Hift, Snake, SnakeBlock
from export.vocoders.flat import SubPixelUpsample, flat_conv
from export.vocoders.hifigan import OUTPUT_SLOPE, SameConv
from export.vocoders.hifigan_served import FlatConv

# A snake of a lower frequency is served with this one: it adds less than a millionth of its input's square.
_LOWEST = 1e-6


class Spectrum(nn.Module):
    """`torch.stft`, centred, with its reflection at both ends."""

    def __init__(self, window: Tensor, hop: int) -> None:
        super().__init__()
        self.edge = len(window) // 2
        self.conv = flat_conv(fourier_basis(window)[0], None)
        self.conv.stride = (1, hop)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Samples of each mel frame [B, M, hop_length], which of the frames there are [B, M] → [B, n + 2, 1, T + 1]."""
        # What comes after the last frame is its mirror image about the last sample.
        mirrored = F.pad(frames[:, :-1].flip(2)[..., 1:], (0, 1, 1, 0))
        samples = torch.where(mask.unsqueeze(2) > 0, frames, mirrored).flatten(1)
        reflected = F.pad(samples.unsqueeze(1), (self.edge, self.edge), mode="reflect")
        y: Tensor = self.conv(reflected.unsqueeze(1))
        return y


class FlatBlock(nn.Module):
    """What a `SnakeBlock` computes."""

    def __init__(self, source: nn.Module) -> None:
        super().__init__()
        assert isinstance(source, SnakeBlock)
        first, then = (
            [_frequency(snake) for snake in snakes] for snakes in (source.before_dilated, source.before_second)
        )
        self.frequencies = nn.ParameterList(alpha[:, None, None] for alpha in first)
        self.dilated = nn.ModuleList(
            FlatConv(_scaled(conv, 1 / alpha, following))
            for conv, alpha, following in zip(source.dilated, first, then, strict=True)
        )
        self.second = nn.ModuleList(
            FlatConv(_scaled(conv, 1 / alpha)) for conv, alpha in zip(source.second, then, strict=True)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """[B, channels, 1, T], 0 where the mask [B, 1, 1, T] is → the same."""
        for frequency, dilated, second in zip(self.frequencies, self.dilated, self.second, strict=True):
            y = _snake(dilated(_snake(frequency * x)) * mask)
            x = x + second(y) * mask
        return x


def _sub_pixel(upsample: nn.Module) -> SubPixelUpsample:
    assert isinstance(upsample, nn.ConvTranspose1d)
    return SubPixelUpsample(upsample.weight, upsample.bias, upsample.stride[0], int(upsample.padding[0]))


def _frequency(snake: nn.Module) -> Tensor:
    """A snake's frequency, or the lowest that is served; with upstream's tiny addend, which it has where it divides."""
    assert isinstance(snake, Snake)
    alpha = snake.alpha.detach() + EPSILON
    return torch.where(alpha.abs() < _LOWEST, _LOWEST, alpha)


def _scaled(conv: nn.Module, before: Tensor, after: Tensor | None = None) -> SameConv:
    """The convolution of its inputs times `before`, its outputs times `after`; a factor for each channel."""
    assert isinstance(conv, SameConv)
    scaled = copy.deepcopy(conv).requires_grad_(False)
    scaled.weight *= before[:, None]
    if after is not None and scaled.bias is not None:
        scaled.weight *= after[:, None, None]
        scaled.bias *= after
    return scaled


def _snake(x: Tensor) -> Tensor:
    return x + x.sin().square()


class FlatSource(nn.Module):
    """The convolution that brings the source's spectrum [B, n + 2, 1, T + 1] down to a stage's rate."""

    def __init__(self, source: nn.Module) -> None:
        super().__init__()
        assert isinstance(source, nn.Conv1d)
        stride = source.stride[0]
        self.edges = (stride // 2, (stride - 1) // 2)
        self.conv = flat_conv(source.weight, source.bias)
        self.conv.stride = (1, stride)

    def forward(self, heard: Tensor) -> Tensor:
        """→ [B, outputs, 1, T / stride], and the last frame with it where the stride is 1."""
        y: Tensor = self.conv(F.pad(heard, self.edges))
        return y


class ServedHift(nn.Module):
    """What a `Hift` computes."""

    def __init__(self, source: Hift) -> None:
        super().__init__()
        self.config = config = source.config
        self.input = FlatConv(source.input)
        self.upsamples = nn.ModuleList(map(_sub_pixel, source.upsamples))
        self.sources = nn.ModuleList(map(FlatSource, source.sources))
        self.source_blocks = nn.ModuleList(map(FlatBlock, source.source_blocks))
        self.stages = nn.ModuleList()
        for blocks in source.stages:
            assert isinstance(blocks, nn.ModuleList)
            self.stages.append(nn.ModuleList(map(FlatBlock, blocks)))
        self.output = FlatConv(source.output)
        self.spectrum = Spectrum(source.window, config.fft_hop)
        self.inverse = InverseSpectrum(source.window, config.fft_hop, crop=config.fft_size // 2)

    def forward(self, mel: Tensor, mask: Tensor, excitation: Tensor) -> Tensor:
        """mel [B, M, bands], mask [B, M], excitation [B, M, hop_length] → audio [B, M·hop_length] in -limit…limit.

        The mask is 1 for a frame and 0 for padding after the last one, whose samples are of no use.
        """
        rates = self.config.upsample_rates
        masks = [mask[:, None, None]]
        for rate in rates:
            masks.append(masks[-1].repeat_interleave(rate, dim=3))
        # The spectrum has a frame more than its hops.
        masks[-1] = F.pad(masks[-1], (1, 0), value=1.0)
        heard = self.spectrum(excitation, mask) * masks[-1]
        x = self.input(mel.transpose(1, 2).unsqueeze(2) * masks[0]) * masks[0]
        for stage, (upsample, source, source_block, blocks) in enumerate(
            zip(self.upsamples, self.sources, self.source_blocks, self.stages, strict=True)
        ):
            present = masks[stage + 1]
            x = upsample(F.leaky_relu(x, self.config.slope))
            if stage == len(rates) - 1:
                x = torch.cat([x[..., 1:2], x], dim=3)
            x = x * present + source_block(source(heard) * present, present)
            assert isinstance(blocks, nn.ModuleList)
            first, *others = (block(x, present) for block in blocks)
            x = sum(others, start=first) / len(blocks)
        magnitude, phase = self.output(F.leaky_relu(x, OUTPUT_SLOPE)).chunk(2, dim=1)
        limit = self.config.limit
        audio = self.inverse(magnitude.exp().clamp(max=LOUDEST), phase.sin(), masks[-1])
        samples: Tensor = audio[:, : excitation.shape[1] * excitation.shape[2]]
        return samples.clamp(-limit, limit)
