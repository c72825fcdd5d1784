"""A small HiFT that was never trained."""

import torch

from export.families.sculptor.cosyvoice_config import HiftConfig
from export.families.sculptor.hift import Hift

# As CosyVoice2's, but narrow and with fewer convolutions.
SMALL = HiftConfig(
    bands=80,
    channels=16,
    harmonics=3,
    sample_rate=24000,
    amplitude=0.1,
    breath=0.003,
    voiced_from=10.0,
    upsample_rates=(8, 5, 3),
    upsample_kernels=(16, 11, 7),
    fft_size=16,
    fft_hop=4,
    kernels=(3, 5),
    dilations=((1, 3), (1,)),
    source_kernels=(3, 3, 5),
    source_dilations=((1,), (1, 2), (1,)),
    slope=0.1,
    limit=0.99,
    f0_channels=8,
)


def small_hift(seed=1):
    """Speaks at about 200 Hz, and its snakes have frequencies of both signs."""
    torch.manual_seed(seed)
    hift = Hift(SMALL).eval().requires_grad_(False)
    for name, value in hift.named_parameters():
        if name.endswith("alpha"):
            value.copy_((0.5 + torch.rand_like(value)) * torch.randn_like(value).sign())
    hift.predictor.output.bias.fill_(200)
    hift.predictor.output.weight.mul_(40)
    return hift


def normal_mel(batch, frames, seed=2):
    return torch.randn(batch, frames, SMALL.bands, generator=torch.Generator().manual_seed(seed))


def mask(lengths, frames):
    return (torch.arange(frames) < torch.tensor(lengths)[:, None]).float()
