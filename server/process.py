"""The launcher's side of the guard: one process that does not outlive its launcher."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.errors import StartFailed
from server.guard import sweep

GUARD = Path(__file__).with_name("guard.py")


@dataclass(frozen=True)
class Job:
    """What to run, where its output goes, and what to delete after it."""

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    finished: str  # what the process logs when all its work is done and only connections keep it
    grace: float
    shm_prefix: str
    remove: Sequence[Path]


class GuardedProcess:
    """A running job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.pid = 0
        self._exit_code: int | None = None
        self._heard = b""
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            bufsize=0,
        )
        try:
            self._begin()
        except BaseException:
            self.end(kill=True, patience=10)
            raise

    def poll(self) -> int | None:
        """The exit code (negative: a signal) once the process has ended."""
        if self._exit_code is None:
            for line in self._listen(0):
                word, _, rest = line.partition(" ")
                if word == "exit":
                    self._exit_code = int(rest)
            if self._exit_code is None and self._guard.poll() is not None:
                self._clean()
                self._exit_code = -9  # the guard was killed, and the process with it
        return self._exit_code

    def end(self, kill: bool, patience: float) -> None:
        """Has the guard stop the process and clean up. May be repeated."""
        assert self._guard.stdin is not None
        assert self._guard.stdout is not None
        if self._guard.poll() is None:
            self._send(b"k" if kill else b"s")
            try:
                self._guard.wait(patience)
            except subprocess.TimeoutExpired:
                self._guard.kill()
                self._guard.wait()
        if self._guard.returncode != 0:
            self._clean()
        self._guard.stdin.close()
        self._guard.stdout.close()

    def hurry(self) -> None:
        """Has the process killed, and returns at once."""
        self._send(b"k")

    def _begin(self) -> None:
        job = self.job
        spec = {
            "command": list(job.command),
            "environment": dict(job.environment),
            "log": str(job.log),
            "finished": job.finished,
            "grace": job.grace,
            "shm_prefix": job.shm_prefix,
            "remove": [str(path) for path in job.remove],
            "parent": os.getpid(),
        }
        self._send(json.dumps(spec).encode() + b"\n")
        answer = next(iter(self._listen(30)), "")
        word, _, rest = answer.partition(" ")
        if word != "pid":
            raise StartFailed(f"tritonserver could not be started: {rest or 'its guard process does not answer'}")
        self.pid = int(rest)

    def _send(self, data: bytes) -> None:
        assert self._guard.stdin is not None
        view = memoryview(data)
        with contextlib.suppress(BrokenPipeError, ValueError):  # the guard is gone, or the pipe closed
            while view:
                view = view[self._guard.stdin.write(view) :]

    def _listen(self, seconds: float) -> list[str]:
        """The whole lines that the guard has said; waits for the first at most ``seconds``."""
        stream = self._guard.stdout
        assert stream is not None
        lines: list[str] = []
        while not stream.closed and not lines and select.select([stream], [], [], seconds)[0]:
            part = stream.read(4096)
            if not part:
                break
            *whole, self._heard = (self._heard + part).split(b"\n")
            lines += [line.decode() for line in whole]
        return lines

    def _clean(self) -> None:
        sweep(self.pid or None, self.job.shm_prefix, [str(path) for path in self.job.remove])
