"""How the commands of `python -m export` speak: progress and errors on standard error, one line each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from export.errors import ExportError
from export.specs import Precision

PrecisionOption = Annotated[
    list[Precision] | None,
    typer.Option("--precision", help="A form of the stages beside float32, may be repeated; all by default."),
]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what is wrong with a request or a file into one line and exit code 1."""
    try:
        yield
    except ExportError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        typer.echo(f"error: {error.filename or 'file'}: {error.strerror or error}", err=True)
        raise typer.Exit(1) from error


def report(line: str) -> None:
    """Tell of a step."""
    typer.echo(line, err=True)


def run(app: typer.Typer) -> None:
    """Run a command line; Ctrl-C ends it with one line."""
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        typer.echo("error: interrupted", err=True)
        sys.exit(130)
