"""See `command.py`."""

import sys

import typer

from export.distill.command import command

if __name__ == "__main__":
    try:
        typer.run(command)
    except KeyboardInterrupt:
        typer.echo("error: interrupted; go on with --resume", err=True)
        sys.exit(130)
