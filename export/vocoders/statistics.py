"""Reads the statistics that a mel spectrogram is normalised by."""

from __future__ import annotations

from pathlib import Path

from export.checkpoint_files import Array, read_array, read_arrays
from export.errors import CheckpointError
from export.mel import Statistics


def find_statistics(folder: Path) -> tuple[Path, Statistics]:
    """The statistics beside a ParallelWaveGAN checkpoint, and their file. Raises `CheckpointError`."""
    for name in ("stats.npz", "stats.npy"):
        if (folder / name).is_file():
            return folder / name, read_statistics(folder / name)
    if (folder / "stats.h5").is_file():
        raise CheckpointError(
            f'{folder} has its statistics as HDF5 only; there, run: python -c "import h5py, numpy; '
            "f = h5py.File('stats.h5'); numpy.savez('stats.npz', mean=f['mean'], scale=f['scale'])\""
        )
    raise CheckpointError(f"{folder} has no stats.npz: the statistics that the vocoder's mel is normalised by")


def read_statistics(path: Path) -> Statistics:
    """The arrays `mean [bands]` and `scale [bands]` of an .npz file, or the rows of an .npy file [2, bands].

    Raises `CheckpointError`.
    """
    if path.suffix == ".npy":
        rows = read_array(path)
        if rows.ndim < 2 or rows.shape[0] != 2:
            raise CheckpointError(f"{path} has the shape {[*rows.shape]}: statistics are two rows, mean and scale")
        return Statistics(_row(rows[0]), _row(rows[1]))
    arrays = read_arrays(path)
    if missing := [name for name in ("mean", "scale") if name not in arrays]:
        raise CheckpointError(f"{path} lacks {' and '.join(missing)}: statistics are the arrays mean and scale")
    return Statistics(_row(arrays["mean"]), _row(arrays["scale"]))


def _row(values: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in values.reshape(-1))
