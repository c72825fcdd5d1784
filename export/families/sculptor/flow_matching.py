"""Ten Euler steps from noise to a mel spectrogram, with classifier-free guidance.

Optimal-transport conditional flow matching (Lipman et al. 2022, arXiv 2210.02747) as CosyVoice2 samples from it: the
same noise for every request, and a cosine schedule.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from export.families.sculptor.cosyvoice_config import BANDS, FlowConfig
from export.families.sculptor.flow_estimator import Estimator

STEPS = 10
# Frames that there is noise for: 300 seconds.
MAX_FRAMES = 15000


def schedule() -> tuple[Tensor, Tensor]:
    """The moments at which the steps begin, and how long they are, both [STEPS]; moments from 0 to 1."""
    moments = 1 - torch.cos(torch.linspace(0, 1, STEPS + 1, dtype=torch.float64) * (pi / 2))
    return moments[:-1], moments.diff()


class FlowMatching(nn.Module):
    """The solver around the estimator."""

    noise: Tensor
    lengths: Tensor

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.guidance = config.guidance
        self.estimator = Estimator(config.estimator)
        draws = torch.Generator().manual_seed(0)
        noise = torch.randn(1, BANDS, MAX_FRAMES, generator=draws, device="cpu")
        self.register_buffer("noise", noise.transpose(1, 2).contiguous(), persistent=False)
        self.register_buffer("lengths", schedule()[1].float(), persistent=False)

    def moments(self) -> Tensor:
        """What the estimator's blocks add in each step, a constant of the weights [STEPS, blocks, channels]."""
        weight = self.estimator.final_proj.weight
        return self.estimator.moments(schedule()[0].to(weight.device, weight.dtype))

    def forward(self, features: Tensor, speaker: Tensor, prompt: Tensor, bias: Tensor, moments: Tensor) -> Tensor:
        """features and prompt [B, T, 80], speaker [B, 80], bias [B, 1, T, T], `moments` → mel [B, T, 80].

        `bias` is what `attention_bias` gave; `prompt` is zero behind the prompt.
        """
        conditions = (features, speaker, prompt)
        fixed = [self.estimator.fixed(*conditions), self.estimator.fixed(*map(torch.zeros_like, conditions))]
        both = torch.cat([bias, bias])
        start = self.noise[:, : features.shape[1]].expand_as(features)

        def step(state: list[Tensor], inputs: list[Tensor]) -> tuple[list[Tensor], Tensor]:
            (x,), (moment, length) = state, inputs
            given, free = self.estimator(x, moment, fixed, both).unflatten(0, (2, -1)).unbind()
            return [x + length * ((1 + self.guidance) * given - self.guidance * free)], length.clone()

        if torch.onnx.is_in_onnx_export():
            (mel,), _ = scan(step, [start.clone()], [moments, self.lengths])
            return torch.as_tensor(mel)
        state = [start]
        for moment, length in zip(moments, self.lengths, strict=True):
            state, _ = step(state, [moment, length])
        return state[0]
