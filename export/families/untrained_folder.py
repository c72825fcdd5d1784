"""Where a made-up checkpoint is written: a folder that is there whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.errors import CheckpointError


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `folder` when nothing was raised.

    Raises `CheckpointError` where that is neither new nor empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} is not an empty folder: give a new one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".untrained-") as work:
        made = Path(work) / "checkpoint"
        made.mkdir()
        yield made
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
