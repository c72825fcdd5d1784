"""Where streamed audio goes: a file, standard output, a player. Samples are int16, mono, little-endian."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Protocol

from .. import audio
from .._errors import OutputError
from .._files import Draft
from ._player import Player, PlayerFailed, refused
from ._pump import Pump, ReaderGone


class Sink(Protocol):
    """Takes the audio of one request. One of ``finish`` and ``abandon`` ends it."""

    def write(self, samples: bytes, sample_rate: int) -> None:
        """The next samples; the rate is the same in every call."""
        ...

    def finish(self) -> None:
        """That was all: leave or pass on the whole."""
        ...

    def abandon(self) -> None:
        """The request ended before its audio did."""
        ...


class FileSink:
    """A WAV or raw file that appears when it is complete; with ``keep`` also when its request was cut short."""

    def __init__(self, path: Path, *, wav: bool, keep: bool) -> None:
        self._draft = Draft(path)
        self._wav = wav
        self._keep = keep
        self._rate = 0
        self._size = 0

    def write(self, samples: bytes, sample_rate: int) -> None:
        """See ``Sink.write``."""
        if self._wav and not self._size:
            self._draft.write(audio.wav_header(sample_rate, None))
        self._draft.write(samples)
        self._rate = sample_rate
        self._size += len(samples)

    def finish(self) -> None:
        """See ``Sink.finish``."""
        self._keep = False
        if self._wav:
            self._draft.write(audio.wav_header(self._rate, self._size), at=0)
        self._draft.commit()

    def abandon(self) -> None:
        """See ``Sink.abandon``."""
        try:
            if self._keep and self._size:
                self.finish()
        finally:
            self._draft.discard()


class PipeSink:
    """Standard output, as fast as its reader takes it."""

    def __init__(self, *, wav: bool, patience: float) -> None:
        if sys.stdout is None:
            raise OutputError("standard output is closed: give a file with -o")
        if sys.stdout.isatty():
            raise OutputError("standard output is a terminal: give a file with -o, or pipe the audio to a program")
        self._pump = Pump(sys.stdout.fileno(), "standard output")
        self._wav = wav
        self._patience = patience
        self._begun = False

    def write(self, samples: bytes, sample_rate: int) -> None:
        """See ``Sink.write``."""
        if self._wav and not self._begun:
            self._pump.write(audio.wav_header(sample_rate, None))
        self._begun = True
        self._pump.write(samples)

    def finish(self) -> None:
        """See ``Sink.finish``."""
        self._pump.finish(self._patience)

    def abandon(self) -> None:
        """See ``Sink.abandon``."""
        self._pump.stop()


class PlayerSink:
    """A player that is fed through its standard input, started at the first samples."""

    def __init__(self, player: Player, *, patience: float) -> None:
        self._player = player
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._pump: Pump | None = None
        self._said: IO[bytes] | None = None

    def write(self, samples: bytes, sample_rate: int) -> None:
        """See ``Sink.write``."""
        pump = self._pump or self._start(sample_rate)
        try:
            pump.write(samples)
        except ReaderGone:
            raise self._refused() from None

    def finish(self) -> None:
        """Wait until everything was heard."""
        if self._pump is None or self._process is None:
            return
        try:
            self._pump.finish(self._patience)
        except ReaderGone:
            raise self._refused() from None
        self._close_input()
        if self._process.wait() != 0:
            raise self._refused()
        self.abandon()

    def abandon(self) -> None:
        """Silence the player."""
        self._kill()
        if self._said is not None:
            self._said.close()

    def _start(self, sample_rate: int) -> Pump:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - not a pipe: nobody empties it while the player plays
        try:
            self._process = subprocess.Popen(
                self._player.live(sample_rate),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                bufsize=0,
            )
        except OSError as error:
            raise PlayerFailed(f"{self._player.name} cannot be started: {error.strerror}") from None
        assert self._process.stdin is not None
        self._pump = Pump(self._process.stdin.fileno(), self._player.name)
        return self._pump

    def _kill(self) -> None:
        if self._pump is None or self._process is None:
            return
        self._pump.stop()
        self._process.kill()
        self._close_input()
        self._process.wait()

    def _close_input(self) -> None:
        # Not before the pump is done with it: the number of the descriptor may soon be another file's.
        if self._pump is not None and self._process is not None and self._process.stdin is not None:
            self._pump.join()
            self._process.stdin.close()

    def _refused(self) -> PlayerFailed:
        """Why the player takes no more, in its own words."""
        self._kill()
        assert self._said is not None
        with self._said as said:
            said.seek(0)
            return refused(self._player, said.read())
