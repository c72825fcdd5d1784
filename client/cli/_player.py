"""Plays audio with a player that the machine has: a finished file, or samples as they come."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from .. import audio
from .._errors import OutputError, ServiceError
from .._speech import Speech


@dataclass(frozen=True)
class Player:
    """A program that plays a file whose name is appended to ``file``.

    ``raw`` plays int16 mono samples, little-endian, from standard input, ``{rate}`` standing for the sample rate;
    empty for a program that cannot.
    """

    file: tuple[str, ...]
    raw: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The program's."""
        return self.file[0]

    def live(self, sample_rate: int) -> list[str]:
        """The command that plays samples as they come."""
        return [part.format(rate=sample_rate) for part in self.raw]


def _player(file: str, raw: str = "") -> Player:
    return Player(tuple(file.split()), tuple(raw.split()))


PLAYERS = (
    _player("paplay", "paplay --raw --format=s16le --channels=1 --rate={rate}"),
    _player("pw-play"),
    _player("aplay -q", "aplay -q -t raw -f S16_LE -c 1 -r {rate} -"),
    _player("afplay"),
    _player(
        "ffplay -nodisp -autoexit -loglevel error",
        "ffplay -nodisp -autoexit -loglevel error -f s16le -sample_rate {rate} -i pipe:0",
    ),
    _player("play -q", "play -q -t raw -e signed -b 16 -c 1 -r {rate} -"),
)


class PlayerFailed(ServiceError):
    """The player ended with an error."""


def find_player(*, live: bool = False) -> Player:
    """The first player on this machine; with ``live`` one that plays samples as they come.

    Raises:
        OutputError: there is none.
    """
    players = [player for player in PLAYERS if player.raw or not live]
    for player in players:
        if shutil.which(player.name):
            return player
    names = ", ".join(player.name for player in players)
    raise OutputError(f"no audio player found: install one of {names}, or leave out --play and give -o")


def play(player: Player, speech: Speech) -> None:
    """Play ``speech`` and wait for its end.

    Raises:
        PlayerFailed: the player did not play it.
    """
    with tempfile.TemporaryDirectory(prefix="tts-") as directory:
        path = os.path.join(directory, "speech.wav")
        audio.save(path, speech.samples, speech.sample_rate)
        call = [*player.file, path]
        try:
            done = subprocess.run(call, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except OSError as error:
            raise PlayerFailed(f"{player.name} cannot be started: {error.strerror}") from None
    if done.returncode != 0:
        raise refused(player, done.stderr)


def refused(player: Player, stderr: bytes) -> PlayerFailed:
    """The error for a player that ended with one, given what it printed."""
    lines = stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
    return PlayerFailed(f"{player.name} could not play the audio: {lines[-1]}")
