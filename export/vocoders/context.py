"""How many frames around its own a sample of a vocoder depends on."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

# The most that is looked for. A window of a clause has this much context on both sides.
_FARTHEST = 512


def _ones(frames: int, channels: int) -> Tensor:
    # Not zeros: a harmonic source has a gradient only where its frames are voiced.
    return torch.ones(1, frames, channels)


def context(
    module: nn.Module, channels: int, hop_length: int, example: Callable[[int, int], Tensor] = _ones
) -> tuple[int, int]:
    """Frames before and after its own that a sample depends on, at least one each.

    `module` maps mel [B, M, channels] to audio [B, M·hop_length], and `example` makes a mel [1, M, channels] of
    M and channels, of which no frame is silenced. The frames are those that have a gradient: exact for
    a network whose layers are differentiable, since a frame out of reach has none at all. In float64, where a faint
    one does not vanish.
    """
    probe = copy.deepcopy(module).double().requires_grad_(False)
    reach = 48
    while reach <= _FARTHEST:
        mel = example(2 * reach + 1, channels).double().requires_grad_(True)
        audio = probe(mel)[0, reach * hop_length : (reach + 1) * hop_length]
        # Weights of both signs and different size: nothing cancels.
        (gradient,) = torch.autograd.grad(audio @ torch.linspace(-1, 2, hop_length, dtype=torch.float64), mel)
        heard = gradient[0].abs().sum(1).nonzero().flatten()
        if not len(heard):
            return 1, 1
        lead, tail = reach - int(heard.min()), int(heard.max()) - reach
        if max(lead, tail) < reach:
            return max(lead, 1), max(tail, 1)
        reach *= 2
    raise ValueError(f"a sample depends on more than {_FARTHEST} frames")
