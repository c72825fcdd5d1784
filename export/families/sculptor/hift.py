"""CosyVoice2's vocoder HiFT as it was trained (HiFTNet, Li et al. 2023, arXiv 2309.09493).

A HiFi-GAN with snake activations that hears the spectrum of a harmonic source at every stage and ends in the spectrum
of the audio, which an inverse short-time Fourier transform makes samples of. What is served is in `hift_served.py`, the
source in `hift_source.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.checkpoint_files import fuse_weight_norm, read_checkpoint, tensors
from export.errors import CheckpointError
from export.families.sculptor.cosyvoice_config import HiftConfig
from export.families.sculptor.f0_predictor import F0Predictor
from export.vocoders.hifigan import OUTPUT_SLOPE, SameConv
from export.vocoders.named import load_named

FILE_NAME = "hift.pt"
# Of the magnitudes of the audio's spectrum.
LOUDEST = 100.0
# Upstream adds it where it divides by a snake's frequency.
EPSILON = 1e-9
# Kernel of the first and the last convolution.
_KERNEL = 7


class Snake(nn.Module):
    """x + sin²(αx) / α, a frequency α for each channel (Ziyin et al. 2020, arXiv 2006.08195)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, T] → the same."""
        alpha = self.alpha[:, None]
        return x + (alpha * x).sin().square() / (alpha + EPSILON)


class SnakeBlock(nn.Module):
    """Dilated convolutions, each followed by an undilated one, a snake before each, and added to their input."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.dilated = nn.ModuleList(SameConv(channels, channels, kernel, d, causal=False) for d in dilations)
        self.second = nn.ModuleList(SameConv(channels, channels, kernel, causal=False) for _ in dilations)
        self.before_dilated = nn.ModuleList(Snake(channels) for _ in dilations)
        self.before_second = nn.ModuleList(Snake(channels) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, T] → the same."""
        for first, dilated, then, second in zip(
            self.before_dilated, self.dilated, self.before_second, self.second, strict=True
        ):
            x = x + second(then(dilated(first(x))))
        return x


class Hift(nn.Module):
    """Mel spectrogram and source → waveform. `mixture` mixes the sines into the source, `predictor` gives their f0."""

    window: Tensor

    def __init__(self, config: HiftConfig) -> None:
        super().__init__()
        self.config = config
        stages = len(config.upsample_rates)
        channels = [config.channels >> stage for stage in range(stages + 1)]
        spectrum = config.fft_size + 2
        self.mixture = nn.Linear(config.harmonics + 1, 1)
        self.predictor = F0Predictor(config.bands, config.f0_channels)
        self.input = SameConv(config.bands, channels[0], _KERNEL, causal=False)
        self.upsamples, self.sources = nn.ModuleList(), nn.ModuleList()
        self.source_blocks, self.stages = nn.ModuleList(), nn.ModuleList()
        for stage, (rate, kernel) in enumerate(zip(config.upsample_rates, config.upsample_kernels, strict=True)):
            inputs, outputs = channels[stage : stage + 2]
            self.upsamples.append(nn.ConvTranspose1d(inputs, outputs, kernel, rate, padding=(kernel - rate) // 2))
            stride = prod(config.upsample_rates[stage + 1 :])
            taps = 2 * stride if stride > 1 else 1
            self.sources.append(nn.Conv1d(spectrum, outputs, taps, stride, padding=stride // 2))
            self.source_blocks.append(SnakeBlock(outputs, config.source_kernels[stage], config.source_dilations[stage]))
            kinds = zip(config.kernels, config.dilations, strict=True)
            self.stages.append(nn.ModuleList(SnakeBlock(outputs, size, dilations) for size, dilations in kinds))
        self.output = SameConv(channels[-1], spectrum, _KERNEL, causal=False)
        self.register_buffer("window", torch.hann_window(config.fft_size), persistent=False)

    @property
    def hop_length(self) -> int:
        """Samples per mel frame."""
        return prod(self.config.upsample_rates) * self.config.fft_hop

    def forward(self, mel: Tensor, source: Tensor) -> Tensor:
        """mel [B, M, bands], source [B, M·hop_length] in -1…1 → audio [B, M·hop_length] in -limit…limit."""
        size, hop = self.config.fft_size, self.config.fft_hop
        spectrum = torch.stft(source, size, hop, window=self.window, return_complex=True)
        heard = torch.cat([spectrum.real, spectrum.imag], dim=1)
        x: Tensor = self.input(mel.transpose(1, 2))
        for stage, upsample in enumerate(self.upsamples):
            x = upsample(F.leaky_relu(x, self.config.slope))
            if stage == len(self.upsamples) - 1:
                # The spectrum has a frame more than its hops.
                x = F.pad(x, (1, 0), mode="reflect")
            x = x + self.source_blocks[stage](self.sources[stage](heard))
            blocks = self.stages[stage]
            assert isinstance(blocks, nn.ModuleList)
            x = torch.stack([block(x) for block in blocks]).mean(0)
        magnitude, phase = self.output(F.leaky_relu(x, OUTPUT_SLOPE)).chunk(2, dim=1)
        polar = torch.polar(magnitude.exp().clamp(max=LOUDEST), phase.sin())
        audio = torch.istft(polar, size, hop, window=self.window)
        return audio.clamp(-self.config.limit, self.config.limit)


def load_hift(config: HiftConfig, path: Path) -> Hift:
    """The vocoder of a `hift.pt`. Raises `CheckpointError` where file and config are damaged or contradict."""
    return hift_of(config, tensors(read_checkpoint(path), path=path), f"{path}")


def hift_of(config: HiftConfig, state: Mapping[str, Tensor], what: str) -> Hift:
    """The vocoder of a state dict under upstream's names, its weight normalisation multiplied out.

    `what` names the checkpoint in messages. Raises `CheckpointError` for sizes that no vocoder has, and for tensors
    that are missing, left over or of another shape.
    """
    _check(config)
    hift = Hift(config)
    load_named(layers(hift), fuse_weight_norm(state), what)
    return hift.eval()


def _check(config: HiftConfig) -> None:
    """Raise `CheckpointError` for sizes with which a layer's output would not be as long as it must be."""
    even = [size for size in (*config.kernels, *config.source_kernels) if size % 2 == 0]
    if even:
        raise CheckpointError(
            f"the hift of the config has a convolution of {even[0]} taps: only odd numbers are usable"
        )
    for rate, kernel in zip(config.upsample_rates, config.upsample_kernels, strict=True):
        if rate < 2 or kernel < rate or (kernel - rate) % 2:
            raise CheckpointError(
                f"the hift of the config upsamples by {rate} with {kernel} taps: it needs a rate above 1, and taps "
                "that exceed it by an even number"
            )
    if config.channels % (1 << len(config.upsample_rates)):
        raise CheckpointError(
            f"base_channels of the config's hift is {config.channels}: it is halved {len(config.upsample_rates)} times"
        )
    if config.fft_size % 2 or config.fft_size % config.fft_hop or config.fft_size < 4 * config.fft_hop:
        raise CheckpointError(
            f"istft_params of the config's hift has n_fft {config.fft_size} and hop_len {config.fft_hop}: n_fft must "
            "be even, and a multiple of hop_len by 4 or more"
        )


def layers(hift: Hift) -> dict[str, nn.Module]:
    """The layers under upstream's names."""
    kinds = len(hift.config.kernels)
    named: dict[str, nn.Module] = {
        "m_source.l_linear": hift.mixture,
        "conv_pre": hift.input,
        "conv_post": hift.output,
        "f0_predictor.classifier": hift.predictor.output,
    }
    # An activation stands between two convolutions.
    named |= {f"f0_predictor.condnet.{2 * i}": layer for i, layer in enumerate(hift.predictor.convolutions)}
    for stage, upsample in enumerate(hift.upsamples):
        named |= {f"ups.{stage}": upsample, f"source_downs.{stage}": hift.sources[stage]}
        named |= _block(f"source_resblocks.{stage}", hift.source_blocks[stage])
        blocks = hift.stages[stage]
        assert isinstance(blocks, nn.ModuleList)
        for number, block in enumerate(blocks, start=kinds * stage):
            named |= _block(f"resblocks.{number}", block)
    return named


def _block(name: str, block: nn.Module) -> dict[str, nn.Module]:
    assert isinstance(block, SnakeBlock)
    lists = {
        "convs1": block.dilated,
        "convs2": block.second,
        "activations1": block.before_dilated,
        "activations2": block.before_second,
    }
    return {f"{name}.{kind}.{i}": layer for kind, layers in lists.items() for i, layer in enumerate(layers)}
