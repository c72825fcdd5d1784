"""Reads the statistics that a mel spectrogram is normalised by."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from export.checkpoint_files import read_arrays
from export.errors import CheckpointError
from export.mel import Statistics


def read_statistics(path: Path) -> Statistics:
    """`mean [bands]` and `scale [bands]` of an .npz file. Raises `CheckpointError`."""
    arrays = read_arrays(path)
    if missing := [name for name in ("mean", "scale") if name not in arrays]:
        raise CheckpointError(f"{path} lacks {' and '.join(missing)}: statistics are the arrays mean and scale")
    mean, scale = (np.asarray(arrays[name], dtype=np.float64).reshape(-1).tolist() for name in ("mean", "scale"))
    return Statistics(tuple(mean), tuple(scale))
