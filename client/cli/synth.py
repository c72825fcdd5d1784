"""``synth``: text to an audio file."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import _files, audio
from .._errors import InvalidRequest
from .._request import Request
from .._speech import Speech
from ._console import emit, emit_json, note
from ._options import DEFAULT_SERVER, Json, Seconds, Server, connect
from ._player import find_player, play
from ._progress import progress_bar
from ._text import read_text

_ENDINGS = ", ".join(audio.FORMATS)


def synth(
    text: Annotated[str | None, typer.Argument(metavar="TEXT|-", help="The text, or - for standard input.")] = None,
    file: Annotated[Path | None, typer.Option(metavar="F", help="Read the text from a UTF-8 file.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help=f"The audio file: {_ENDINGS}.")
    ] = None,
    voice: Annotated[str | None, typer.Option(help="A name from the voices command.")] = None,
    quality: Annotated[str | None, typer.Option(help="high, balanced or fast (高保真, 平衡, 快速).")] = None,
    speaker: Annotated[str | None, typer.Option(help="One of the voice's speakers.")] = None,
    emotion: Annotated[str | None, typer.Option(help="One of the voice's emotions.")] = None,
    speed: Annotated[float | None, typer.Option(help="0.5 to 2.0, more is faster.")] = None,
    pitch: Annotated[float | None, typer.Option(help="-12 to 12 semitones.")] = None,
    energy: Annotated[float | None, typer.Option(help="-12 to 12 dB.")] = None,
    srt: Annotated[Path | None, typer.Option(metavar="FILE", help="Write subtitles there.")] = None,
    play_it: Annotated[bool, typer.Option("--play", help="Play the audio when it is done.")] = False,
    as_json: Json = False,
    server: Server = DEFAULT_SERVER,
    seconds: Seconds = 300.0,
) -> None:
    """Speak a text into an audio file."""
    _check_outputs(output, srt, play_it)
    player = find_player() if play_it else None
    request = Request.checked(
        read_text(text, file),
        voice=voice,
        quality=quality,
        speaker=speaker,
        emotion=emotion,
        speed=speed,
        pitch=pitch,
        energy=energy,
    )
    with connect(server, seconds) as synthesizer, progress_bar(request.text) as on_progress:
        speech = synthesizer.synthesize(**asdict(request), on_progress=on_progress)
    if output is not None:
        speech.save(output)
    if srt is not None:
        _files.write(srt, speech.srt().encode())
    if as_json:
        emit_json(_tree(speech, output, srt))
    else:
        for notice in speech.notices:
            note(f"note: {notice.message}")
        emit(_line(speech, output))
    if player is not None:
        play(player, speech)


def _check_outputs(output: Path | None, srt: Path | None, play_it: bool) -> None:
    """Find out before the work what could not be written after it."""
    if output is None and not play_it:
        raise InvalidRequest("give the audio file with -o OUT, or --play to hear it")
    if output is not None:
        audio.format_of(output)
        _files.check_target(output)
    if srt is not None:
        _files.check_target(srt)
        if output is not None and os.path.realpath(srt) == os.path.realpath(output):
            raise InvalidRequest(f"{srt}: the audio goes there, give another name for the subtitles")


def _line(speech: Speech, output: Path | None) -> str:
    name = "played" if output is None else str(output)
    quality = f", quality {speech.quality}" if speech.quality else ""
    return f"{name}: {speech.duration:.2f} s at {speech.sample_rate} Hz, voice {speech.voice}{quality}"


def _tree(speech: Speech, output: Path | None, srt: Path | None) -> dict[str, Any]:
    return {
        "file": None if output is None else str(output),
        "srt": None if srt is None else str(srt),
        "seconds": round(speech.duration, 6),
        "sample_rate": speech.sample_rate,
        "voice": speech.voice,
        "quality": speech.quality,
        "clauses": [asdict(clause) for clause in speech.clauses],
        "notices": [asdict(notice) for notice in speech.notices],
        "elapsed_seconds": round(speech.elapsed, 6),
        "first_audio_seconds": round(speech.first_audio, 6),
        "real_time_factor": round(speech.elapsed / speech.duration, 6),
    }
