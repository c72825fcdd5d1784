"""The service's own text front end, aligner and PCM around networks that are run by something else.

The modules that are imported from the model repository are those that Triton serves.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from alignment import align
from speaking import Ask, Speaking
from units import Batch
from waveform import finish

Array = npt.NDArray[Any]


class Networks(Protocol):
    """The three networks of the demo voice; see docs/architecture.md for the tensors."""

    def encode(self, units: Array, lengths: Array, pitch: Array, contour: Array) -> tuple[Array, Array]:
        """Hidden states [B, T, D] and durations [B, T]."""

    def vocode(self, hidden: Array, alignment: Array, lengths: Array) -> Array:
        """Audio [B, samples]: decoder and vocoder."""


class Frontend:
    """Texts to clauses of units, from any thread."""

    def __init__(self, repository: Path) -> None:
        self._speaking = Speaking(repository)
        self._lock = threading.Lock()

    def read(self, text: str) -> Batch:
        """A text's clauses."""
        with self._lock:
            return self._speaking.whole(Ask(text))


def speak(networks: Networks, texts: Sequence[Batch]) -> list[bytes]:
    """The 16-bit PCM of each text, all of them computed as one batch.

    Nothing is padded to a bucket: one clause alone is exactly as long as it is.
    """
    batch = _joined(texts)
    controls = batch.controls
    hidden, durations = networks.encode(batch.units, batch.lengths, controls["pitch"], controls["contour"])
    rows, lengths, timings = align(durations, batch.lengths[:, 0], controls["speed"][:, 0], batch.clauses)
    tail = json.loads(batch.clauses[0])["frame_tail"] if len(lengths) > 1 else 0
    audio = networks.vocode(hidden, rows[:, : lengths.max() + tail], lengths[:, None])
    energy = controls["energy"][:, 0]
    spoken, at = [], 0
    for text in texts:
        part = slice(at, at := at + len(text.clauses))
        pcm, _, _ = finish(audio[part], timings[part], energy[part].tolist())
        spoken.append(pcm.tobytes())
    return spoken


def _joined(texts: Sequence[Batch]) -> Batch:
    lengths = np.concatenate([text.lengths for text in texts])
    longest = int(lengths.max())
    units = [
        np.pad(text.units[:, :longest], ((0, 0), (0, max(0, longest - text.units.shape[1])), (0, 0))) for text in texts
    ]
    controls = {name: np.concatenate([text.controls[name] for text in texts]) for name in texts[0].controls}
    return Batch(np.concatenate(units), lengths, controls, [clause for text in texts for clause in text.clauses])
