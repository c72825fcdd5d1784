"""Reads what the gateway sends."""

from __future__ import annotations

import io

import av
import numpy as np

from server.gateway.encoding import PCM_RATE


def decoded(name, data):
    """The samples of a file as float, and their rate."""
    if name == "pcm":
        return np.frombuffer(data, "<i2") / 32768, PCM_RATE
    with av.open(io.BytesIO(data)) as file:
        frames = list(file.decode(audio=0))
    joined = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    scale = np.iinfo(joined.dtype).max if joined.dtype.kind == "i" else 1.0
    return joined / scale, frames[0].sample_rate
