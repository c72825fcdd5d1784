"""Multi-band MelGAN generator (Yang et al. 2020, arXiv 2005.05106) with PQMF synthesis."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2


@dataclass(frozen=True)
class MultiBandMelGANConfig:
    """Sizes of a generator, all read off the checkpoint's tensors."""

    bands: int
    channels: tuple[int, ...]
    scales: tuple[int, ...]
    kernel: int
    stacks: int
    subbands: int
    taps: int

    @property
    def hop_length(self) -> int:
        """Samples per mel frame."""
        hop = self.subbands
        for scale in self.scales:
            hop *= scale
        return hop

    @property
    def dilations(self) -> tuple[int, ...]:
        """Dilation of each residual stack of a stage: powers of three."""
        return tuple(3**i for i in range(self.stacks))


class Upsample(nn.Module):
    """Transposed convolution by `scale` whose output is exactly `scale` times as long."""

    def __init__(self, inputs: int, outputs: int, scale: int) -> None:
        super().__init__()
        # Of the `scale` surplus samples scale // 2 are cropped on the left, the rest on the right; PyTorch crops
        # evenly, so an odd scale leaves one more on the right.
        self.surplus = scale % 2
        self.conv = nn.ConvTranspose1d(inputs, outputs, 2 * scale, stride=scale, padding=scale // 2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, T] → [B, outputs, scale·T]."""
        y: Tensor = self.conv(x)
        return y[..., : -self.surplus] if self.surplus else y


class ResidualStack(nn.Module):
    """Dilated convolution and a 1×1 one, beside a 1×1 shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv1d(channels, channels, 1)
        self.dilated = nn.Conv1d(channels, channels, 3, dilation=dilation)
        self.pointwise = nn.Conv1d(channels, channels, 1)
        self.dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, T] → [B, channels, T]."""
        y = F.pad(F.leaky_relu(x, SLOPE), (self.dilation, self.dilation), mode="reflect")
        y = F.leaky_relu(self.dilated(y), SLOPE)
        z: Tensor = self.shortcut(x) + self.pointwise(y)
        return z


class PQMFSynthesis(nn.Module):
    """Pseudo-quadrature mirror filter bank: sub-bands back to one signal."""

    def __init__(self, subbands: int, taps: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose1d(subbands, subbands, subbands, stride=subbands, bias=False)
        self.filter = nn.Conv1d(subbands, 1, taps, padding=(taps - 1) // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, subbands, T] → [B, 1, subbands·T]."""
        y: Tensor = self.filter(self.upsample(x))
        return y


class MultiBandMelGAN(nn.Module):
    """Mel spectrogram → waveform."""

    def __init__(self, config: MultiBandMelGANConfig) -> None:
        super().__init__()
        self.edge = (config.kernel - 1) // 2
        self.input = nn.Conv1d(config.bands, config.channels[0], config.kernel)
        self.upsamples = nn.ModuleList()
        self.stacks = nn.ModuleList()
        for scale, inputs, outputs in zip(config.scales, config.channels[:-1], config.channels[1:], strict=True):
            self.upsamples.append(Upsample(inputs, outputs, scale))
            self.stacks.append(nn.Sequential(*(ResidualStack(outputs, d) for d in config.dilations)))
        self.output = nn.Conv1d(config.channels[-1], config.subbands, config.kernel)
        self.synthesis = PQMFSynthesis(config.subbands, config.taps)

    def convolutions(self) -> list[nn.Conv1d | nn.ConvTranspose1d]:
        """Every convolution before the filter bank, in the order in which the signal passes them."""
        body: list[nn.Module] = [self.input]
        for upsample, stack in zip(self.upsamples, self.stacks, strict=True):
            body += [*upsample.modules(), *stack.modules()]
        body.append(self.output)
        return [layer for layer in body if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d)]

    def forward(self, mel: Tensor) -> Tensor:
        """mel [B, M, bands] → audio [B, M·hop_length] in -1…1."""
        x = self.input(F.pad(mel.transpose(1, 2), (self.edge, self.edge), mode="reflect"))
        for upsample, stack in zip(self.upsamples, self.stacks, strict=True):
            x = stack(upsample(F.leaky_relu(x, SLOPE)))
        x = F.pad(F.leaky_relu(x, SLOPE), (self.edge, self.edge), mode="reflect")
        audio: Tensor = self.synthesis(self.output(x).tanh()).squeeze(1)
        return audio
