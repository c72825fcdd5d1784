"""A service as its users start it: `python -m server serve`, which watches its server."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO

import psutil

START_SECONDS = 120.0
END_SECONDS = 60.0
_READY = re.compile(r"ready after [\d.]+ s: grpc (\S+), http (\S+), metrics ([^\s,]+)")
_SERVER = "tritonserver"


class Served:
    """The launcher's process. Enter it to have it ready; it is stopped as by Ctrl-C.

    Attributes:
        grpc: the address for clients.
        metrics: the address of the metrics.
        lines: what the launcher has said.
    """

    def __init__(self, repository: Path, log: Path, profile: str | None = None) -> None:
        ports = [word for name in ("grpc", "http", "metrics") for word in (f"--{name}-port", "0")]
        self._command = [sys.executable, "-m", "server", "serve", "--repository", str(repository), *ports]
        self._command += ["--log-file", str(log), *(("--profile", profile) if profile else ())]
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._ready = threading.Event()
        self.lines: list[str] = []
        self.grpc = self.metrics = ""

    def __enter__(self) -> Served:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        end = time.monotonic() + START_SECONDS
        while not self._ready.wait(0.1):
            if self._process.poll() is not None or time.monotonic() > end:
                self._stop()
                raise RuntimeError(f"the service did not start: {'; '.join(self.lines) or 'it said nothing'}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def launcher(self) -> int:
        """The launcher's process id."""
        assert self._process is not None
        return self._process.pid

    def server(self) -> int | None:
        """The process id of its tritonserver, None while there is none."""
        try:
            children = psutil.Process(self.launcher).children(recursive=True)
            return next((child.pid for child in children if child.name() == _SERVER), None)
        except psutil.Error:
            return None

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.lines.append(line.rstrip())
                if match := _READY.search(line):
                    self.grpc, self.metrics = match[1], match[3]
                    self._ready.set()

    def _stop(self) -> None:
        assert self._process is not None
        assert self._reader is not None
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its guard ends what it started
            self._process.wait()
        self._reader.join(END_SECONDS)
