"""FastSpeech2 (Ren et al. 2021, arXiv 2006.04558) as TensorFlowTTS builds it, with masks everywhere.

Tensors are [batch, time, channels]. Every convolution and normalisation is followed by the mask, so that an item of a
padded batch is computed as if it were alone; the network as published masks less and lets padding leak in.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.families.frames import hold_last_frame, length_mask

# Added to attention scores of padded keys. exp(-1e4) is 0 in float32, and the value fits into float16.
_MASKED = -1e4


@dataclass(frozen=True)
class FastSpeech2Config:
    """Sizes of a FastSpeech2; all but `heads` are read off the checkpoint's tensors."""

    vocabulary: int
    hidden: int
    positions: int
    attention: int
    heads: int
    filter: int
    encoder_layers: int
    decoder_layers: int
    bands: int
    postnet_layers: int
    postnet_channels: int


class Conv(nn.Module):
    """A convolution along time, over [B, T, C], that keeps the length; of height 1 as in `export.vocoders.flat`."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, (1, kernel), padding=(0, (kernel - 1) // 2))

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, inputs] → [B, T, outputs]."""
        y: Tensor = self.conv(x.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)
        return y


def mish(x: Tensor) -> Tensor:
    """Mish (Misra 2019, arXiv 1908.08681), x · tanh(softplus(x)), by one sigmoid.

    tanh(log(1 + e^x)) is u / (2 - u) where u = s · (2 - s), s = sigmoid(x): there is no logarithm to compute, and
    nothing that could overflow in float16.
    """
    s = torch.sigmoid(x)
    u = s * (2.0 - s)
    return x * u / (2.0 - u)


class SelfAttention(nn.Module):
    """Multi-head self attention; the heads together may be narrower than the hidden size."""

    def __init__(self, config: FastSpeech2Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.width = config.attention // config.heads
        self.query = nn.Linear(config.hidden, config.attention)
        self.key = nn.Linear(config.hidden, config.attention)
        self.value = nn.Linear(config.hidden, config.attention)
        self.output = nn.Linear(config.attention, config.hidden)

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], -1, self.heads, self.width).transpose(1, 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, hidden], mask [B, T, 1] → [B, T, hidden]."""
        query, key, value = self._split(self.query(x)), self._split(self.key(x)), self._split(self.value(x))
        scores = query @ key.transpose(2, 3) * self.width**-0.5
        scores = scores + ((1.0 - mask) * _MASKED).transpose(1, 2).unsqueeze(1)
        context = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
        y: Tensor = self.output(context)
        return y


class TransformerLayer(nn.Module):
    """Post-norm transformer layer whose feed-forward part is two convolutions with a Mish between them."""

    def __init__(self, config: FastSpeech2Config) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.attention_norm = nn.LayerNorm(config.hidden, eps=1e-5)
        self.expand = Conv(config.hidden, config.filter, 3)
        self.contract = Conv(config.filter, config.hidden, 3)
        self.norm = nn.LayerNorm(config.hidden, eps=1e-5)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, hidden], mask [B, T, 1] → [B, T, hidden]."""
        x = self.attention_norm(self.attention(x, mask) + x) * mask
        y = self.contract(mish(self.expand(x)) * mask)
        z: Tensor = self.norm(y + x) * mask
        return z


class VariancePredictor(nn.Module):
    """One value per unit: two convolutions with ReLU and layer norm, then a linear layer."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(Conv(hidden, hidden, 3) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden, eps=1e-5) for _ in range(2))
        self.output = nn.Linear(hidden, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, hidden], mask [B, T, 1] → [B, T, 1]."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(F.relu(conv(x))) * mask
        y: Tensor = self.output(x) * mask
        return y


class Encoder(nn.Module):
    """Units → hidden states with pitch and energy mixed in, and how long each lasts.

    `pitch_curve` turns semitones into what is added to the predicted (normalised) f0; see `pitch.py`.
    """

    def __init__(self, config: FastSpeech2Config) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocabulary, config.hidden)
        self.positions = nn.Parameter(torch.zeros(config.positions, config.hidden))
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.encoder_layers))
        self.duration = VariancePredictor(config.hidden)
        self.f0 = VariancePredictor(config.hidden)
        self.energy = VariancePredictor(config.hidden)
        self.f0_embedding = Conv(1, config.hidden, 9)
        self.energy_embedding = Conv(1, config.hidden, 9)
        self.pitch_curve: Tensor
        self.register_buffer("pitch_curve", torch.zeros(5))

    def forward(
        self, units: Tensor, unit_lengths: Tensor, pitch: Tensor, contour: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Encode a batch.

        units [B, T, 1] int32, unit_lengths [B, 1] int32, pitch [B, 1] float32 semitones, contour [B, 1] float32, the
        factor by which f0 moves about the clause's mean →
        hidden [B, T, hidden], durations [B, T] frames (not rounded), f0 [B, T], energy [B, T] (normalised).
        """
        mask = length_mask(unit_lengths, units).to(torch.float32)
        # Position 0 is the padding's; the text starts at 1.
        x = self.embedding(units.squeeze(-1)) + self.positions[1 : units.shape[1] + 1]
        for layer in self.layers:
            x = layer(x, mask)
        durations = F.relu(self.duration(x, mask).exp() - 1.0) * mask
        linear, quadratic, cubic, low, high = self.pitch_curve.unbind()
        shift = (pitch * (linear + pitch * (quadratic + pitch * cubic))).clamp(low, high)
        f0 = self.f0(x, mask)
        energy = self.energy(x, mask)
        mean = f0.sum(1, keepdim=True) / unit_lengths.unsqueeze(-1).clamp(min=1)
        shifted = (mean + (f0 - mean) * contour.unsqueeze(-1) + shift.unsqueeze(-1)) * mask
        hidden = (x + self.f0_embedding(shifted) + self.energy_embedding(energy)) * mask
        return hidden, durations.squeeze(-1), shifted.squeeze(-1), energy.squeeze(-1)


class Postnet(nn.Module):
    """Five convolutions with batch norm (folded into a scale and a shift); tanh after all but the last."""

    def __init__(self, config: FastSpeech2Config) -> None:
        super().__init__()
        wide = [config.postnet_channels] * (config.postnet_layers - 1)
        sizes = [config.bands, *wide, config.bands]
        self.convs = nn.ModuleList(Conv(a, b, 5) for a, b in pairwise(sizes))

    def forward(self, mel: Tensor, mask: Tensor) -> Tensor:
        """mel [B, M, bands], mask [B, M, 1] → the correction to add, [B, M, bands]."""
        x = mel
        for i, conv in enumerate(self.convs):
            x = conv(x)
            if i < len(self.convs) - 1:
                x = x.tanh()
            x = x * mask
        return x


class Decoder(nn.Module):
    """Hidden states, gathered by an alignment, → mel spectrogram."""

    def __init__(self, config: FastSpeech2Config) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(config.positions, config.hidden))
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.decoder_layers))
        self.mel = nn.Linear(config.hidden, config.bands)
        self.postnet = Postnet(config)

    def before_postnet(self, hidden: Tensor, alignment: Tensor, frame_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The mel before the postnet corrects it, [B, M, bands], and the mask [B, M, 1]."""
        mask = length_mask(frame_lengths, alignment).to(torch.float32)
        index = alignment.to(torch.int64).unsqueeze(-1).expand(-1, -1, hidden.shape[2])
        x = (hidden.gather(1, index) + self.positions[1 : alignment.shape[1] + 1]) * mask
        for layer in self.layers:
            x = layer(x, mask)
        mel: Tensor = self.mel(x) * mask
        return mel, mask

    def forward(self, hidden: Tensor, alignment: Tensor, frame_lengths: Tensor) -> Tensor:
        """Decode a batch.

        hidden [B, T, hidden], alignment [B, M] int32 (the unit of each frame), frame_lengths [B, 1] int32 →
        mel [B, M, bands]. The padding holds copies of the last frame: a vocoder, which has no mask, then ends an item
        as it would alone.
        """
        mel, mask = self.before_postnet(hidden, alignment, frame_lengths)
        mel = mel + self.postnet(mel, mask)
        return hold_last_frame(mel, frame_lengths)
