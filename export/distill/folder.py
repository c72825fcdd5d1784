"""The folder that a run leaves: a vocoder that `python -m export vocoder hifigan` reads, and what it takes to go on."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from export.distill.generator import layout, packed
from export.errors import ExportError
from export.mel import MelFormat
from export.vocoders.hifigan import HiFiGAN

GENERATOR = "generator.safetensors"
CONFIG = "config.json"
PROVENANCE = "provenance.json"
# Not named like a generator's file, so that no layout takes it for one.
STATE = "training.pt"


@dataclass(frozen=True)
class Folder:
    """Files that appear whole or not at all, each at once."""

    path: Path

    @property
    def state(self) -> Path:
        """What `save_state` writes."""
        return self.path / STATE

    def prepare(self, *, resume: bool) -> None:
        """Make the folder, and see to it that it can be written. Raises `ExportError` or OSError.

        There must be a run in it exactly if one is to be resumed.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.path):
            pass
        if resume and not self.state.is_file():
            raise ExportError(f"{self.path} has no run to go on with: leave out --resume")
        if self.state.is_file() and not resume:
            raise ExportError(
                f"{self.path} has a run already: go on with --resume, or choose another folder with --out"
            )

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Write what a training needs to go on."""
        content = io.BytesIO()
        torch.save(dict(state), content)
        self._write(STATE, content.getvalue())

    def publish(self, generator: HiFiGAN, mel: MelFormat, provenance: Mapping[str, Any]) -> None:
        """Write a generator for a mel spectrogram and where it comes from. Raises `ExportError` for one too large."""
        self._write(GENERATOR, packed(generator))
        self._write(CONFIG, _text(layout(generator.config, mel)))
        self._write(PROVENANCE, _text(provenance))

    def _write(self, name: str, content: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.path, prefix=f".{name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(self.path / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _text(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
