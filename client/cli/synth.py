"""``synth``: text to an audio file."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .. import _files, audio
from .._errors import InvalidRequest
from .._request import Request
from . import _options as options
from . import _report
from ._console import emit, emit_json, note
from ._player import find_player, play
from ._progress import progress_bar
from ._text import read_text

_ENDINGS = ", ".join(audio.FORMATS)


@options.asking
def synth(
    text: options.Text = None,
    file: options.TextFile = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help=f"The audio file: {_ENDINGS}.")
    ] = None,
    *,
    asked: options.Asked,
    srt: Annotated[Path | None, typer.Option(metavar="FILE", help="Write subtitles there.")] = None,
    play_it: Annotated[bool, typer.Option("--play", help="Play the audio when it is done.")] = False,
    as_json: options.Json = False,
    reached: options.Reached,
    seconds: options.Seconds = 300.0,
) -> None:
    """Speak a text into an audio file."""
    _check_outputs(output, srt, play_it)
    player = find_player() if play_it else None
    request = Request.checked(read_text(text, file), **asked.options())
    with options.connect(reached, seconds) as synthesizer, progress_bar(request.text) as on_progress:
        speech = synthesizer.synthesize(**asdict(request), on_progress=on_progress)
    if output is not None:
        speech.save(output)
    if srt is not None:
        _files.write(srt, speech.srt().encode())
    if as_json:
        paths = {"file": None if output is None else str(output), "srt": None if srt is None else str(srt)}
        emit_json(paths | _report.tree(speech, speech.duration))
    else:
        for notice in speech.notices:
            note(f"note: {notice.message}")
        emit(_report.line(speech, speech.duration, "played" if output is None else str(output)))
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
