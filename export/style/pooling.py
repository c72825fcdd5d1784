"""Evidence at each character → style, certainty and conflict of the instruction."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from export.style.attributes import CONTOUR_REACH, ENERGY_REACH, PITCH_REACH, SPEED_REACH

# Evidence less clear than this is noise. A persona's has 0.45, of words that name an attribute 1.
_NOISE = 0.15
# Strengths below this are neither for nor against.
_NEITHER = 0.12
# How much weight it takes to move the voice half of the way.
_INERTIA = 0.02


def pool(clarity: Tensor, strength: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """clarity and strength [B, L, 4], unbounded, zero in the padding → style, certainty and conflict, [B, 4] each.

    The strengths are averaged by the square of their clarity: what is said outright outweighs what a persona or a
    mood implies.
    """
    clarity, strength = clarity.clamp(0.0, 1.0), strength.clamp(-1.0, 1.0)
    weight = F.relu(clarity - _NOISE).square()
    mean = (weight * strength).sum(1) / (weight.sum(1) + _INERTIA)
    more = (weight * F.relu(strength - _NEITHER)).sum(1)
    less = (weight * F.relu(-strength - _NEITHER)).sum(1)
    conflict = 2.0 * torch.minimum(more, less) / (more + less + _INERTIA)
    speed, pitch, contour, energy = mean.unbind(1)
    style = torch.stack(
        (
            (speed * math.log(SPEED_REACH)).exp(),
            pitch * PITCH_REACH,
            1.0 + contour * CONTOUR_REACH,
            energy * ENERGY_REACH,
        ),
        dim=1,
    )
    return style, clarity.amax(1), conflict
