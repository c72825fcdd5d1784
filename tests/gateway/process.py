"""A real gateway as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
_READY = re.compile(r"gateway ready: (\S+)")


@dataclass(frozen=True)
class Gateway:
    """A running gateway: its address, its process, and the last lines that it has said."""

    url: str
    process: psutil.Process
    lines: deque[str]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.partition("//")[2].rpartition(":")
        return host.strip("[]"), int(port)


@contextmanager
def running(*arguments: str) -> Iterator[Gateway]:
    """A gateway on a free port, with these arguments; it is ended as by Ctrl-C."""
    command = [sys.executable, "-m", "server", "gateway", "--port", "0", *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: deque[str] = deque(maxlen=200)
    ready = threading.Event()
    url = ""

    def read() -> None:
        nonlocal url
        with process.stdout:
            for line in process.stdout:
                lines.append(line.rstrip())
                if match := _READY.search(line):
                    url = match[1]
                    ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        end = time.monotonic() + PATIENCE
        while not ready.wait(0.05):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the gateway did not start: " + "\n".join(lines))
        yield Gateway(url, psutil.Process(process.pid), lines)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(PATIENCE)
