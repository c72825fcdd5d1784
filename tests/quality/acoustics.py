"""What the controls change, measured in the samples."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_F0_RANGE = (80.0, 700.0)  # Hz


def mean_log_f0(samples: NDArray[np.int16], sample_rate: int) -> float:
    """Mean base-2 logarithm of f0 over the voiced frames; NaN when none is voiced."""
    import pyworld

    audio = samples.astype(np.float64) / 32768.0
    low, high = _F0_RANGE
    rough, times = pyworld.harvest(audio, sample_rate, f0_floor=low, f0_ceil=high)
    f0 = pyworld.stonemask(audio, rough, times, sample_rate)
    voiced = f0[f0 > 0]
    return float(np.mean(np.log2(voiced))) if voiced.size else math.nan


def rms_db(samples: NDArray[np.int16]) -> float:
    """Root mean square in dB of full scale; minus infinity for silence."""
    power = float(np.mean(np.square(samples.astype(np.float64) / 32768.0))) if samples.size else 0.0
    return 10 * math.log10(power) if power > 0 else -math.inf
