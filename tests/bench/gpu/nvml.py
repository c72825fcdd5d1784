"""What NVML tells of the first card while something runs: how busy it is, and how much of its memory is used."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

import pynvml

SAMPLE_SECONDS = 0.05
_MIB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """Share of the time in which a kernel ran (0…1, over NVML's own last sixth of a second or so), and MiB in use."""

    busy: float
    memory_mib: float


@dataclass(frozen=True)
class Usage:
    """Means and maxima over samples; `memory_mib` is the most above what was in use before. NaN without samples."""

    busy: float = math.nan
    busiest: float = math.nan
    memory_mib: float = math.nan

    @classmethod
    def of(cls, samples: Sequence[Sample], before_mib: float) -> Usage:
        """Of samples that were taken at equal distances."""
        if not samples:
            return cls()
        busy = [sample.busy for sample in samples]
        most = max(sample.memory_mib for sample in samples)
        return cls(math.fsum(busy) / len(busy), max(busy), max(0.0, most - before_mib))


class Watch:
    """Samples while it is entered; `usage` afterwards. On a machine without NVML nothing is known.

    `before_mib` is what was in use before that is not to be counted; what is in use when it is entered, by default.
    """

    def __init__(self, read: Callable[[], Sample] | None = None, before_mib: float | None = None) -> None:
        self._read = read or sample
        self._before = before_mib
        self._samples: list[Sample] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._available = read is not None

    def __enter__(self) -> Watch:
        if not self._available:
            try:
                pynvml.nvmlInit()
            except pynvml.NVMLError:
                return self
            self._available = True
        first = self._read()
        self._before = first.memory_mib if self._before is None else self._before
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def usage(self) -> Usage:
        """Of what was sampled so far."""
        return Usage.of(self._samples, self._before or 0.0)

    def _watch(self) -> None:
        while True:
            self._samples.append(self._read())
            if self._ended.wait(SAMPLE_SECONDS):
                return


def sample() -> Sample:
    """The first card now; NVML has to be initialised."""
    card = pynvml.nvmlDeviceGetHandleByIndex(0)
    try:
        busy = pynvml.nvmlDeviceGetUtilizationRates(card).gpu / 100
    except pynvml.NVMLError:
        busy = math.nan  # a card that is divided (MIG) does not tell
    return Sample(busy, pynvml.nvmlDeviceGetMemoryInfo(card).used / _MIB)


def used_mib() -> float:
    """MiB of the first card in use, NaN without one."""
    try:
        pynvml.nvmlInit()
        return sample().memory_mib
    except pynvml.NVMLError:
        return math.nan
