"""The fundamental frequency of a mel spectrogram, as CosyVoice's vocoder HiFT predicts it for its source."""

from __future__ import annotations

from torch import Tensor, nn

# Of upstream's network, which its config does not name.
LAYERS, KERNEL = 5, 3
# Frames on either side of its own that an f0 depends on.
REACH = LAYERS * (KERNEL // 2)


class F0Predictor(nn.Module):
    """Convolutions over frames. Where the mask is 0 every layer hears zeros, as it does beyond the end of a mel."""

    def __init__(self, bands: int, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv1d(bands if layer == 0 else channels, channels, KERNEL, padding=KERNEL // 2)
            for layer in range(LAYERS)
        )
        self.output = nn.Linear(channels, 1)

    def forward(self, mel: Tensor, mask: Tensor) -> Tensor:
        """mel [B, M, bands], mask [B, M] (1 for a frame, 0 for padding after the last) → f0 in Hz [B, M], 0 there."""
        keep = mask.to(mel.dtype).unsqueeze(1)
        x = mel.transpose(1, 2) * keep
        for convolution in self.convolutions:
            x = elu(convolution(x)) * keep
        f0: Tensor = self.output(x.transpose(1, 2)).squeeze(2).abs()
        return f0 * keep.squeeze(1)


def elu(x: Tensor) -> Tensor:
    """x where it is above 0, and exp(x) − 1 below: in parts, since TensorRT-RTX 1.7 has no plan for a whole one."""
    return x.clamp(min=0) + (x.clamp(max=0).exp() - 1)
