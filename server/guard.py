"""Runs one command for a launcher and cleans up after it, however the launcher ends.

Started as ``python -I -S guard.py``, so it imports nothing but the standard library. The launcher writes
one JSON line and keeps the pipe open; then "s" or the end of the pipe means stop, "k" means kill at once.
The guard answers on its standard output with "pid N", "failed MESSAGE" and "exit CODE", one a line. When the
launcher is killed, it ends the process group and deletes its shared memory and temporary directories.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SHARED_MEMORY = Path("/dev/shm")
MOST_FILES = 1 << 20  # open at once; some programs go through all that they might have open
LINGER = 1.0  # seconds for the connections, when the process has nothing else to do
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def sweep(group: int | None, shm_prefix: str, remove: list[str]) -> None:
    """Ends what is left of the process group and deletes its shared memory and directories."""
    if group is not None:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                os.killpg(group, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                break
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-group, os.WNOHANG)[0]:
                    pass
            time.sleep(0.02)
    if shm_prefix:
        for region in SHARED_MEMORY.glob(f"{shm_prefix}*"):
            with contextlib.suppress(OSError):
                region.unlink()
    for directory in remove:
        shutil.rmtree(directory, ignore_errors=True)


class Guard:
    """One guarded process."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.parent = os.getppid() if spec["parent"] == os.getppid() else -1
        self.listening = True
        self.stopping = False
        self.killing = False
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        self.wake = wake_read
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def run(self) -> int:
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
        process: subprocess.Popen[bytes] | None = None
        code = 127
        try:
            process = self._start()
            say(f"pid {process.pid}")
            code = self._attend(process)
        except OSError as error:
            say(f"failed {error}")
        finally:
            sweep(process.pid if process else None, self.spec["shm_prefix"], [])
        say(f"exit {code}")
        while not self.stopping:  # the launcher may still want to read the log
            self._listen(1.0)
        sweep(None, "", self.spec["remove"])
        return 0

    def _start(self) -> subprocess.Popen[bytes]:
        with open(self.spec["log"], "ab") as log:
            return subprocess.Popen(
                self.spec["command"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.spec["environment"],
                start_new_session=True,
                preexec_fn=_prepare,
            )

    def _attend(self, process: subprocess.Popen[bytes]) -> int:
        kill_at: float | None = None
        log_start = 0
        while True:
            code = process.poll()
            if code is not None:
                return code
            if self.stopping and kill_at is None:
                log_start = os.path.getsize(self.spec["log"])
                process.terminate()
                kill_at = time.monotonic() + float(self.spec["grace"])
            if kill_at is not None and self._is_finished(log_start):
                kill_at = min(kill_at, time.monotonic() + LINGER)
                log_start = sys.maxsize
            if self.killing or (kill_at is not None and time.monotonic() >= kill_at):
                process.kill()
                return process.wait()
            self._listen(1.0 if kill_at is None else min(0.1, max(0.01, kill_at - time.monotonic())))

    def _is_finished(self, log_start: int) -> bool:
        """Whether the process has logged, since ``log_start``, that only connections keep it."""
        with contextlib.suppress(OSError), open(self.spec["log"], "rb") as log:
            if log_start <= os.path.getsize(log.name):
                log.seek(log_start)
                return self.spec["finished"].encode() in log.read()
        return False

    def _listen(self, seconds: float) -> None:
        ready, _, _ = select.select([0, self.wake] if self.listening else [self.wake], [], [], seconds)
        if self.wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self.wake, 512)
        if 0 in ready:
            order = os.read(0, 64)
            self.listening = bool(order)
            self.killing = self.killing or b"k" in order
            self.stopping = True
        if os.getppid() != self.parent:
            self.stopping = True

    def _on_signal(self, number: int, frame: object) -> None:
        self.stopping = True


@functools.lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        _libc().prctl(option, value, 0, 0, 0)


def _prepare() -> None:
    """In the child, before it becomes the command: it dies with the guard, and may hold many connections."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def say(line: str) -> None:
    with contextlib.suppress(OSError):
        os.write(1, (" ".join(line.split()) + "\n").encode())


def main() -> int:
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 1 << 16)
        if not part:
            return 0  # the launcher went away before it asked for anything
        line += part
    return Guard(json.loads(line)).run()


if __name__ == "__main__":
    sys.exit(main())
