"""Audio files: the format follows from the file's ending."""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import _files
from ._errors import OutputError

_UNKNOWN = 0xFFFFFFFF
_BLOCK = 1 << 16  # libsndfile's lossy encoders put a whole write on the stack


@dataclass(frozen=True)
class Format:
    """Container and encoding in libsndfile's words, and the sample rates it can hold (empty: all)."""

    container: str
    encoding: str
    sample_rates: tuple[int, ...] = ()


_OPUS = Format("OGG", "OPUS", (48000, 24000, 16000, 12000, 8000))
FORMATS = {
    ".wav": Format("WAV", "PCM_16"),
    ".flac": Format("FLAC", "PCM_16"),
    ".opus": _OPUS,
    ".ogg": _OPUS,
}


def format_of(path: str | os.PathLike[str]) -> Format:
    """The format that the ending of ``path`` asks for.

    Raises:
        OutputError: there is none.
    """
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending not in FORMATS:
        raise OutputError(f"{os.fspath(path)}: the file's ending must be one of {', '.join(FORMATS)}")
    return FORMATS[ending]


def encode(samples: NDArray[np.int16], sample_rate: int, form: Format) -> bytes:
    """The bytes of an audio file.

    Args:
        samples: int16 of shape ``[n]``.
        sample_rate: in Hz.
        form: how.
    """
    import soundfile

    # In memory first: an error while libsndfile writes to a file has no cause that could be told to anybody.
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", samplerate=sample_rate, channels=1, format=form.container, subtype=form.encoding
    ) as file:
        for start in range(0, len(samples), _BLOCK):
            file.write(samples[start : start + _BLOCK])
    return buffer.getvalue()


def wav_header(sample_rate: int, size: int | None) -> bytes:
    """The 44 bytes before ``size`` bytes of int16 mono samples; ``None``: nobody knows yet how many.

    Readers of a pipe take the largest size for "until it ends".
    """
    data = _UNKNOWN if size is None else min(size, _UNKNOWN)
    riff = min(data + 36, _UNKNOWN)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", riff, b"WAVE") + form + struct.pack("<4sI", b"data", data)


def save(path: str | os.PathLike[str], samples: NDArray[np.int16], sample_rate: int) -> None:
    """Write an audio file; see ``Speech.save``."""
    form = format_of(path)
    _files.check_target(path)
    check_rate(path, form, sample_rate)
    _files.write(path, encode(samples, sample_rate, form))


def check_rate(path: str | os.PathLike[str], form: Format, sample_rate: int) -> None:
    """See that a file of this format can hold audio of this rate.

    Raises:
        OutputError: it cannot.
    """
    if form.sample_rates and sample_rate not in form.sample_rates:
        rates = ", ".join(str(rate) for rate in form.sample_rates)
        raise OutputError(
            f"{os.fspath(path)}: Opus holds {rates} Hz and this voice speaks at {sample_rate} Hz, write .wav or .flac"
        )
