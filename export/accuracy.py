"""How far an exported graph is from what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from export.specs import Precision


@dataclass(frozen=True)
class Loss:
    """What a graph of a lower precision loses against the float32 one, and how much it must keep, in dB.

    `largest_error` is the largest absolute difference over the inputs tried, where it was taken.
    """

    signal_to_noise_db: float
    least_signal_to_noise_db: float
    largest_error: float | None = None


@dataclass(frozen=True)
class Accuracy:
    """The largest absolute difference of a float32 graph from its module, over several shapes, and what is allowed.

    `losses` are those of the files of a lower precision.
    """

    largest_error: float
    tolerance: float
    losses: Mapping[Precision, Loss] = field(default_factory=dict)

    def __str__(self) -> str:
        losses = [f"{precision.value} {loss.signal_to_noise_db:.1f} dB" for precision, loss in self.losses.items()]
        return ", ".join([f"largest error {self.largest_error:.1e}", *losses])
