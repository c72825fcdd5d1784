"""Where the files for containers are, what a builder sees of the checkout, and the real commands with their options."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from typer.main import get_command

from client.cli._main import build
from server.cli import app

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
VENV = Path(sys.executable).parent


def checked(*command: object, cwd: Path = ROOT) -> str:
    """What a command prints; it has to end well and to have no complaint."""
    result = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    return result.stdout


def context(folder: Path) -> Path:
    """What .dockerignore lets through, in a folder: its list is of what is let through, and of exceptions to that."""
    first, *lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert first == "*"
    exceptions = [line for line in lines if not line.startswith("!")]
    for line in lines:
        if not line.startswith("!"):
            continue
        source, target = ROOT / line[1:], folder / line[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    for line in exceptions:
        for path in folder.glob(line):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


@functools.cache
def commands() -> dict[str, Any]:
    """Every command of `python -m server` and `python -m client` by its words: click's object of each."""
    groups = {"server": get_command(app), "client": get_command(build())}
    return {f"{module} {name}": command for module, group in groups.items() for name, command in group.commands.items()}


def prefix(command: str) -> str:
    """What the variables of a command's options begin with."""
    found = commands()[command]
    own = found.context_settings.get("auto_envvar_prefix")
    return own or f"TTS_{found.name.upper()}"


def variables(command: str) -> set[str]:
    """The variables that a command takes its options from."""
    return {f"{prefix(command)}_{option.name.upper()}" for option in commands()[command].params}


def parsed(command: str, arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """The options that a command line with these variables comes to. Raises click's error for a wrong one."""
    found = commands()[command]
    with (
        mock.patch.dict(os.environ, environment),
        found.make_context(command, list(arguments), auto_envvar_prefix=prefix(command)) as made,
    ):
        return dict(made.params)
