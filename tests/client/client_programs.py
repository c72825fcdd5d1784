"""The command line as a process of its own, and a terminal that watches it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import client


class Terminal(io.StringIO):
    """A stream that somebody watches."""

    def isatty(self) -> bool:
        return True


def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """The program as a process of its own."""
    root = str(Path(client.__file__).parents[1])
    command = [sys.executable, "-W", "error", "-m", "client", *arguments]
    environment = {**os.environ, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}
    settings: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    return subprocess.Popen(command, env=environment, **{**settings, **options})
