"""Audio in the formats that OpenAI's clients ask for, encoded while it comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import IO, Protocol, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from client.audio import wav_header

PCM_RATE = 24_000
"""Of ``pcm``, which has no header: what OpenAI's clients play it at."""


@dataclass(frozen=True)
class Format:
    """A format by the name it has in a request.

    ``container`` and ``codec`` are FFmpeg's names, empty for plain samples. ``bit_rate`` is in bit/s, 0 where there is
    none to choose; ``rates`` are the sample rates it can hold (empty: all). ``streamed`` are options of the container
    where nothing can be written afterwards and packets are to leave at once, ``options`` those of the codec.
    """

    media_type: str
    container: str = ""
    codec: str = ""
    bit_rate: int = 0
    rates: tuple[int, ...] = ()
    streamed: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    def rate(self, sample_rate: int) -> int:
        """The audio's sample rate when the samples come at ``sample_rate``: the next that loses nothing."""
        if not self.rates or sample_rate in self.rates:
            return sample_rate
        return min((rate for rate in self.rates if rate > sample_rate), default=max(self.rates))


FORMATS = {
    "mp3": Format(
        "audio/mpeg",
        "mp3",
        "libmp3lame",
        96_000,
        (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
        streamed={"write_xing": "0"},
        # Without a reservoir of bits a frame needs none of those before it, and leaves when it is made.
        options={"reservoir": "0"},
    ),
    "opus": Format(
        "audio/ogg",
        "ogg",
        "libopus",
        48_000,
        (48000,),  # what a decoder gives, whatever went in
        # Pages of 20 ms instead of a second.
        streamed={"page_duration": "20000"},
    ),
    "aac": Format(
        "audio/aac", "adts", "aac", 96_000, (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
    ),
    "flac": Format("audio/flac", "flac", "flac"),
    "wav": Format("audio/wav"),
    "pcm": Format("audio/pcm", rates=(PCM_RATE,)),
}


class Target(Protocol):
    """Where an encoder writes."""

    def write(self, data: bytes, /) -> int: ...


class Pieces:
    """A target from which what was written can be taken at once, and not be changed any more."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes, /) -> int:
        """Add bytes."""
        self._written += data
        return len(data)

    def take(self) -> bytes:
        """What was written since the last call."""
        taken = bytes(self._written)
        self._written.clear()
        return taken


class Encoder(Protocol):
    """Writes samples that come piece by piece."""

    def add(self, samples: NDArray[np.int16]) -> None:
        """Write these samples, int16 of shape ``[n]``, as far as they can be encoded yet."""
        ...

    def finish(self) -> None:
        """Write the rest; nothing may be added after it."""
        ...


def streamed(name: str, sample_rate: int, target: Target) -> Encoder:
    """An encoder that writes as early as it can and never goes back.

    Args:
        name: a key of ``FORMATS``.
        sample_rate: of the samples, in Hz.
        target: what takes the bytes.
    """
    form = FORMATS[name]
    if form.codec:
        return _Compressed(form, sample_rate, target, {**form.streamed, "flush_packets": "1"})
    if name == "wav":
        target.write(wav_header(sample_rate, None))
    return _Plain(sample_rate, form.rate(sample_rate), target)


def whole(name: str, sample_rate: int, file: IO[bytes]) -> Encoder:
    """An encoder into an empty file, whose headers tell the length in the end; else as ``streamed``."""
    form = FORMATS[name]
    if form.codec:
        return _Compressed(form, sample_rate, file, {})
    return _Wav(sample_rate, file) if name == "wav" else _Plain(sample_rate, form.rate(sample_rate), file)


class _Plain:
    """Samples as they are, or at another rate."""

    def __init__(self, given: int, wanted: int, target: Target) -> None:
        self._given = given
        self._resampler = None if given == wanted else AudioResampler("s16", "mono", wanted)
        self._target = target
        self._position = 0

    def add(self, samples: NDArray[np.int16]) -> None:
        if self._resampler is None:
            self._target.write(samples.astype("<i2", copy=False).tobytes())
        elif samples.size:
            self._write(self._resampler.resample(_frame(samples, self._given, self._position)))
            self._position += len(samples)

    def finish(self) -> None:
        if self._resampler is not None and self._position:
            self._write(self._resampler.resample(None))

    def _write(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            self._target.write(frame.to_ndarray().astype("<i2", copy=False).tobytes())


class _Wav:
    """WAV in a file: its header is written once more at the end."""

    def __init__(self, sample_rate: int, file: IO[bytes]) -> None:
        self._rate = sample_rate
        self._file = file
        self._size = 0
        file.write(wav_header(sample_rate, 0))

    def add(self, samples: NDArray[np.int16]) -> None:
        self._size += self._file.write(samples.astype("<i2", copy=False).tobytes())

    def finish(self) -> None:
        self._file.seek(0)
        self._file.write(wav_header(self._rate, self._size))


class _Compressed:
    """What FFmpeg encodes."""

    def __init__(self, form: Format, sample_rate: int, target: object, options: Mapping[str, str]) -> None:
        self._rate = sample_rate
        self._container = av.open(target, "w", format=form.container, options=dict(options))
        self._stream = cast(
            AudioStream, self._container.add_stream(form.codec, rate=form.rate(sample_rate), options=dict(form.options))
        )
        self._stream.layout = "mono"
        if form.bit_rate:
            self._stream.bit_rate = form.bit_rate
        self._position = 0

    def add(self, samples: NDArray[np.int16]) -> None:
        if samples.size:
            self._container.mux(self._stream.encode(_frame(samples, self._rate, self._position)))
            self._position += len(samples)

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


def _frame(samples: NDArray[np.int16], sample_rate: int, position: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples)[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = sample_rate
    frame.pts = position
    frame.time_base = Fraction(1, sample_rate)
    return frame
