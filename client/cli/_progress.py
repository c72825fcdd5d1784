"""Progress of a long text, for people at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from .._models import Progress

LONG = 200
"""Characters from which on a text is worth a progress bar."""


@contextmanager
def progress_bar(text: str) -> Generator[Callable[[Progress], None] | None, None, None]:
    """A bar on stderr that the yielded function moves; ``None`` for a short text or where nobody watches."""
    if len(text) < LONG or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("speaking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("speaking", total=len(text))
        yield lambda progress: bar.update(task, completed=progress.done, total=progress.total)
