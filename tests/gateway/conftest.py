"""A real gateway in front of the session's server."""

from __future__ import annotations

import hashlib
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
import pytest

from server import TritonServer

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
                pytest.fail("the gateway did not start: " + "\n".join(lines))
        yield Gateway(url, psutil.Process(process.pid), lines)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(PATIENCE)


@pytest.fixture(scope="session")
def gateway(service: TritonServer) -> Iterator[Gateway]:
    """The gateway that all tests share, without tokens."""
    with running("--server", service.address.grpc, "--metrics-server", service.address.metrics) as made:
        yield made


TOKENS = f"""
[tokens.open]
secret = "open-sesame"

[tokens.hashed]
sha256 = "{hashlib.sha256(b"kept-as-a-hash").hexdigest()}"

[tokens.requests]
secret = "two-a-minute"
requests_per_minute = 2

[tokens.characters]
secret = "few-characters"
characters_per_minute = 30

[tokens.concurrent]
secret = "one-at-once"
concurrent = 1
"""


@pytest.fixture(scope="session")
def strict(service: TritonServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with tokens and narrow bounds."""
    tokens = tmp_path_factory.mktemp("strict") / "tokens.toml"
    tokens.write_text(TOKENS, "utf-8")
    bounds = ("--request-seconds", "3", "--stall-seconds", "1", "--max-connections", "20")
    with running("--server", service.address.grpc, "--tokens", str(tokens), *bounds) as made:
        yield made
