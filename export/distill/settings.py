"""What a training run is made of."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Settings:
    """All that decides what comes out, but for how long it takes.

    `sentences` are spoken to train on and `held_out` others to judge by. `channels` are the generator's first, `width`
    the discriminators'. A step takes `batch` segments of `segment` frames. The learning rate falls exponentially, by
    `decay` over the whole run; discriminators join after the share `warm_up` of it.
    """

    seed: int = 0
    sentences: int = 6000
    held_out: int = 64
    channels: int = 256
    width: int = 32
    batch: int = 32
    segment: int = 32
    learning_rate: float = 5e-4
    decay: float = 0.05
    warm_up: float = 0.1
    # HiFi-GAN's weights of the mel loss and the feature loss, UnivNet's of the STFT loss.
    mel_weight: float = 45.0
    stft_weight: float = 2.5
    feature_weight: float = 2.0

    def rate(self, share: float) -> float:
        """The learning rate after that share of the run."""
        return self.learning_rate * math.pow(self.decay, share)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Limit:
    """When a run is over: after so many minutes or so many steps, whichever comes first."""

    minutes: float = math.inf
    steps: float = math.inf

    def share(self, step: int, seconds: float) -> float:
        """How much of the run is done, 1 at its end."""
        return min(1.0, max(step / self.steps, seconds / 60 / self.minutes))
