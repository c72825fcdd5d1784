"""Plays a finished audio file with a player that the machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

from .. import audio
from .._errors import OutputError, ServiceError
from .._speech import Speech

PLAYERS = (
    ("paplay",),
    ("pw-play",),
    ("aplay", "-q"),
    ("afplay",),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("play", "-q"),
)


class PlayerFailed(ServiceError):
    """The player ended with an error."""


def find_player() -> tuple[str, ...]:
    """The command of the first player on this machine.

    Raises:
        OutputError: there is none.
    """
    for command in PLAYERS:
        if shutil.which(command[0]):
            return command
    names = ", ".join(command[0] for command in PLAYERS)
    raise OutputError(f"no audio player found: install one of {names}, or leave out --play and give -o")


def play(command: tuple[str, ...], speech: Speech) -> None:
    """Play ``speech`` and wait for its end.

    Raises:
        PlayerFailed: the player did not play it.
    """
    with tempfile.TemporaryDirectory(prefix="tts-") as directory:
        path = os.path.join(directory, "speech.wav")
        audio.save(path, speech.samples, speech.sample_rate)
        call = [*command, path]
        try:
            done = subprocess.run(call, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except OSError as error:
            raise PlayerFailed(f"{command[0]} cannot be started: {error.strerror}") from None
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise PlayerFailed(f"{command[0]} could not play the audio: {lines[-1]}")
