"""The program: its commands, and how each way to fail ends."""

from __future__ import annotations

import os
from collections.abc import Sequence

import typer

from .._errors import DiskFull, InvalidRequest, OutputError, SpeechError
from ._console import fail, quiet_streams
from .batch import batch
from .health import health
from .metrics import metrics
from .phonemes import phonemes
from .stream import stream
from .styles import styles
from .synth import synth
from .voices import load, unload, voices

INTERRUPTED = 130


def build() -> typer.Typer:
    """The typer application."""
    app = typer.Typer(
        help="Speak text with a running speech service.",
        epilog="Exit codes: 0 done, 1 the service failed, 2 the request was wrong, 130 interrupted.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    for command in (synth, stream, batch, voices, styles, phonemes, load, unload, health, metrics):
        app.command()(command)
    app.callback()(_root)
    return app


def _root() -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code."""
    # gRPC's own log would put more lines beside the one that tells the error.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    quiet_streams()
    try:
        code = build()(arguments, prog_name="python -m client", standalone_mode=False, auto_envvar_prefix="TTS")
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except SpeechError as error:
        return fail(error, _exit_code(error))
    except Exception as error:
        if not hasattr(error, "format_message"):  # click's own, and newer typers have a copy of click
            raise
        return _usage(error)
    if code == INTERRUPTED:  # newer typers turn Ctrl-C into this code
        return fail("interrupted", INTERRUPTED)
    return int(code or 0)


def _exit_code(error: SpeechError) -> int:
    if isinstance(error, DiskFull):
        return 1
    return 2 if isinstance(error, (InvalidRequest, OutputError)) else 1


def _usage(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "python -m client")
    message = str(error.format_message())  # type: ignore[attr-defined]
    return fail(f"{message.rstrip('.')} (see {path} --help)", 2)
