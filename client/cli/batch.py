"""``batch``: many texts from a file, each into an audio file of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import audio
from .._errors import InvalidRequest, SpeechError
from .._request import Request
from .._sync import Synthesizer
from ..batch import FAILURES, BadLine, Batch, Journal, Line, Reader, Tally
from . import _options as options
from ._console import emit, emit_json, note

_MOST_NOTES = 10
_MOST_THREADS = 256


@options.asking
def batch(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="JSON lines, CSV or TSV with a header, or lines of text.")
    ],
    folder: Annotated[Path, typer.Option("--output-dir", "-d", metavar="OUTDIR", help="Where the audio files go.")],
    form: Annotated[
        str, typer.Option("--format", metavar="wav|flac|opus", help="Of files whose name does not say.")
    ] = "wav",
    concurrency: Annotated[int, typer.Option(metavar="N", help="Requests under way at once.")] = 4,
    *,
    asked: options.Asked,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to wait for a server that is away or overloaded.")
    ] = 300.0,
    as_json: options.Json = False,
    reached: options.Reached,
    seconds: options.Seconds = 300.0,
) -> int:
    """Speak every item of a file into a folder; what an earlier run did is not done again.

    An item has a text, and may have an id, a file and any option of a request; the options given here are for items
    that do not say. --timeout is for each item.
    """
    _check(form, concurrency, patience)
    defaults = asked.options()
    Request.checked("-", **defaults)  # what is wrong for every item is said once
    reader = Reader(source, defaults, f".{form}")
    began = time.monotonic()
    watched = sys.stderr is not None and sys.stderr.isatty()
    total = reader.count() if watched and source.is_file() else None
    with closing(reader.lines()) as lines, options.connect(reached, seconds) as synthesizer:
        first = next(lines, None)  # an input that cannot be read is said before anything else is touched
        if first is None:
            raise InvalidRequest(f"{source}: there is no item in it")
        synthesizer.voices()  # a wrong address is said now, and not after patience
        tally = _work(synthesizer, chain([first], lines), folder, total, watched, concurrency, patience)
    if reader.unused:
        note(f"note: fields that mean nothing here: {', '.join(sorted(reader.unused))}")
    elapsed = time.monotonic() - began
    failures = str(folder / FAILURES) if tally.failed else None
    emit_json(_tree(tally, elapsed, failures)) if as_json else emit(_line(tally, elapsed, failures))
    return 1 if tally.failed else 0


def _check(form: str, concurrency: int, patience: float) -> None:
    if f".{form}" not in audio.FORMATS:
        raise InvalidRequest(f"--format must be one of {', '.join(name[1:] for name in audio.FORMATS)}, got {form!r}")
    if not 1 <= concurrency <= _MOST_THREADS:
        raise InvalidRequest(f"--concurrency must be between 1 and {_MOST_THREADS}, got {concurrency}")
    if not 0 <= patience < float("inf"):
        raise InvalidRequest(f"--patience must be a number of seconds, got {patience:g}")


def _work(
    synthesizer: Synthesizer,
    items: Iterator[Line | BadLine],
    folder: Path,
    total: int | None,
    watched: bool,
    concurrency: int,
    patience: float,
) -> Tally:
    with Journal(folder) as journal, _progress_bar(total, watched) as on_change:
        work = Batch(
            synthesizer,
            journal,
            concurrency=concurrency,
            patience=patience,
            on_change=on_change,
            on_failure=_Notes().failed,
        )
        return work.run(items)


def _tree(tally: Tally, elapsed: float, failures: str | None) -> dict[str, Any]:
    return {
        "items": tally.seen,
        "done": tally.done,
        "done_before": tally.before,
        "failed": tally.failed,
        "failures": failures,
        "audio_seconds": round(tally.audio_seconds, 3),
        "elapsed_seconds": round(elapsed, 3),
    }


def _line(tally: Tally, elapsed: float, failures: str | None) -> str:
    before = f", {tally.before} were there" if tally.before else ""
    failed = f", {tally.failed} failed (see {failures})" if failures else ""
    return f"{tally.done} of {tally.seen} done{before}{failed}: {tally.audio_seconds:.1f} s of audio in {elapsed:.1f} s"


class _Notes:
    """Tells the first failures one by one; all of them are in the failures' file."""

    def __init__(self) -> None:
        self._told = 0

    def failed(self, number: int, name: str, error: SpeechError) -> None:
        self._told += 1
        if self._told <= _MOST_NOTES:
            note(f"line {number}: {error}")
        elif self._told == _MOST_NOTES + 1:
            note(f"note: further failures are in {FAILURES} only")


@contextmanager
def _progress_bar(total: int | None, watched: bool) -> Generator[Callable[[Tally], object], None, None]:
    """A bar on stderr that the yielded function moves; where nobody watches, nothing."""
    if not watched:
        yield lambda tally: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("speaking", total=total)

        def move(tally: Tally) -> None:
            failed = f", {tally.failed} failed" if tally.failed else ""
            bar.update(task, completed=tally.seen, description=f"speaking{failed}")

        yield move
