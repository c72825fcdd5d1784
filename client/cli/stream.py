"""``stream``: text to audio that is written or heard while it is still being spoken."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .._assemble import Account
from .._errors import InvalidRequest, OutputError
from .._request import Request
from . import _options as options
from . import _report
from ._console import emit, emit_json, note
from ._player import Player, find_player
from ._progress import progress_bar
from ._sinks import FileSink, PipeSink, PlayerSink, Sink
from ._text import read_text

_FORMATS = ("wav", "pcm")


@options.asking
def stream(
    text: options.Text = None,
    file: options.TextFile = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="OUT|-", help="The audio file, .wav or .pcm, or - for standard output."),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="wav|pcm", help="Instead of what the file's ending says; wav for -."),
    ] = None,
    *,
    asked: options.Asked,
    play_it: Annotated[bool, typer.Option("--play", help="Play the audio while it comes.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the file's beginning when the rest does not come.")
    ] = False,
    as_json: options.Json = False,
    reached: options.Reached,
    seconds: options.Seconds = 300.0,
) -> None:
    """Speak a text and write or play its audio as it comes.

    Raw PCM is int16, mono, little-endian, at the voice's sample rate.
    """
    wav = _check(output, form, play_it, keep, as_json)
    player = find_player(live=True) if play_it else None
    request = Request.checked(read_text(text, file), **asked.options())
    with (
        options.connect(reached, seconds) as synthesizer,
        progress_bar(request.text) as on_progress,
        _sinks(output, wav=wav, keep=keep, player=player, patience=seconds) as sinks,
    ):
        account = Account(on_progress)
        with closing(synthesizer.stream(**asdict(request))) as chunks:
            for chunk in chunks:
                account.add(chunk)
                if chunk.samples.size:
                    samples = chunk.samples.astype("<i2", copy=False).tobytes()
                    for sink in sinks:
                        sink.write(samples, chunk.sample_rate)
        account.check()
    _tell(account, output, as_json)


def _check(output: str | None, form: str | None, play_it: bool, keep: bool, as_json: bool) -> bool:
    """See that the arguments fit together; returns whether the output is WAV."""
    if output is None and not play_it:
        raise InvalidRequest("give the audio file with -o OUT, -o - for a pipe, or --play to hear it")
    if form not in (None, *_FORMATS):
        raise InvalidRequest(f"--format must be wav or pcm, got {form!r}")
    if output in (None, "-"):
        if form is not None and output is None:
            raise InvalidRequest("--format is about the output: give one with -o")
        if keep:
            raise InvalidRequest("--keep is about a file: give one with -o")
        if as_json and output == "-":
            raise InvalidRequest("standard output cannot hold both the audio and --json: give a file with -o")
        return form != "pcm"
    ending = Path(output or "").suffix.lower()[1:]
    if form is None and ending not in _FORMATS:
        raise OutputError(f"{output}: the file's ending must be .wav or .pcm, or give --format")
    return (form or ending) == "wav"


@contextmanager
def _sinks(
    output: str | None, *, wav: bool, keep: bool, player: Player | None, patience: float
) -> Generator[list[Sink], None, None]:
    """The places that the audio goes to: finished after the block, abandoned if it raises."""
    sinks: list[Sink] = []
    try:
        if output == "-":
            sinks.append(PipeSink(wav=wav, patience=patience))
        elif output is not None:
            sinks.append(FileSink(Path(output), wav=wav, keep=keep))
        if player is not None:
            sinks.append(PlayerSink(player, patience=patience))
        yield sinks
        for sink in sinks:
            sink.finish()
    except BaseException:  # Ctrl-C as well: nothing half-written may stay
        with ExitStack() as stack:
            for sink in sinks:
                stack.callback(sink.abandon)
        raise


def _tell(account: Account, output: str | None, as_json: bool) -> None:
    if as_json:
        emit_json({"file": output, **_report.tree(account, account.seconds)})
        return
    for notice in account.notices:
        note(f"note: {notice.message}")
    what = {None: "played", "-": "standard output"}.get(output, output or "")
    told = f"{_report.line(account, account.seconds, what)}, first audio after {account.first_audio:.3f} s"
    if output == "-":
        note(told)
    else:
        emit(told)
