"""Memory of a server: of its processes now, at their peaks, and of all of them together over time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

from server import stubs

SAMPLE_SECONDS = 0.5
_KIB = 1024


@dataclass(frozen=True)
class Memory:
    """One process in MiB: resident now, its share of what is resident, and the most that was ever resident.

    Memory that processes share counts once in the sum of `pss_mib` and in each of the others; None: unreadable.
    """

    process: str
    rss_mib: float
    pss_mib: float | None
    peak_mib: float | None


def tree(pid: int) -> list[int]:
    """A server and its stubs."""
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def memory(pid: int) -> list[Memory]:
    """A server and its stubs, the largest first. A process that ends meanwhile is left out."""
    found = [process(each) for each in tree(pid)]
    return sorted((each for each in found if each), key=lambda row: -(row.pss_mib or row.rss_mib))


def total(rows: Sequence[Memory]) -> float | None:
    """PSS of all together in MiB, None where it cannot be read."""
    shares = [row.pss_mib for row in rows]
    return sum(share for share in shares if share is not None) if shares and None not in shares else None


def forget_peaks(pid: int) -> bool:
    """Have the peaks count from now on; False where the kernel does not let this user."""
    try:
        for each in tree(pid):
            Path(f"/proc/{each}/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def cpu_seconds(pids: Iterable[int]) -> float:
    """What these processes and their children have used of the processor so far, in the kernel and outside."""
    used = 0.0
    for pid in (each for root in pids for each in tree(root)):
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            used += times.user + times.system
    return used


class Peak:
    """The largest sum of PSS while it is entered, sampled, in MiB; `mib` is None where it cannot be read."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.mib: float | None = None

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            now = total(memory(self._pid))
            self.mib = max(self.mib or 0.0, now) if now is not None else self.mib
            if self._ended.wait(SAMPLE_SECONDS):
                return


def process(pid: int) -> Memory | None:
    """One process by itself, None when it has ended."""
    folder = Path(f"/proc/{pid}")
    try:
        status = _fields(folder / "status")
        name = _name(pid, folder)
    except OSError:
        return None
    if "VmRSS" not in status:  # it has ended and nobody has asked how
        return None
    try:
        share = _fields(folder / "smaps_rollup").get("Pss")
    except OSError:
        share = None
    return Memory(name, status["VmRSS"], share, status.get("VmHWM"))


def _fields(file: Path) -> dict[str, float]:
    """The lines `Name: N kB` of a file below /proc, in MiB."""
    found = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            found[name] = float(value[:-3]) / _KIB
    return found


def _name(pid: int, folder: Path) -> str:
    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    stub = stubs.parse(pid, words)
    return stub.instance if stub else Path(words[0]).name
