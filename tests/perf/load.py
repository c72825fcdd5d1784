"""A load, and the command line that has perf_analyzer make it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PERCENTILE = 95


@dataclass(frozen=True)
class Load:
    """So many requests to a model: from clients that each wait for their answer, or at a rate (a Poisson process).

    Exactly one of `clients` and `rate` (requests per second) is set. A `streaming` model answers in a stream.
    `shared_memory` is the largest output in bytes, without the batch, where tensors travel through the system's shared
    memory, else None.
    """

    recipe: str
    model: str
    requests: int
    clients: int | None = None
    rate: float | None = None
    streaming: bool = False
    batch: int = 1
    shared_memory: int | None = None

    @property
    def name(self) -> str:
        """A name for its files, of which no two loads of a recipe have the same."""
        level = f"{self.clients}_clients" if self.clients is not None else f"{self.rate:g}_per_second"
        way = "" if self.shared_memory is None else "_shared"
        return f"{self.recipe}_{self.model}_{level}_batch_{self.batch}{way}"


@dataclass(frozen=True)
class Files:
    """Where a load's input lies and where its results go."""

    folder: Path
    name: str

    def of(self, ending: str) -> Path:
        """A file of the load's name."""
        return self.folder / f"{self.name}.{ending}"

    @property
    def data(self) -> Path:
        """The input, which perf_analyzer reads."""
        return self.of("input.json")

    @property
    def intervals(self) -> Path:
        """Microseconds between requests, where they come at a rate."""
        return self.of("intervals.txt")

    @property
    def table(self) -> Path:
        """Its table."""
        return self.of("csv")

    @property
    def export(self) -> Path:
        """The times of every request. With the audio in text: far larger than what it tells."""
        return self.of("requests.json")


def command(load: Load, server: str, files: Files) -> list[str]:
    """Arguments of perf_analyzer.

    `--request-count` bounds the load. Windows do not: beyond capacity the queue grows as long as they are open, and the
    program waits for all of it in the end. A rate needs `--async`, or each thread would wait for its answers, and one
    thread, as several race past the count.
    """
    words = ["-m", load.model, "-u", server, "-i", "grpc", "--input-data", str(files.data), "-b", str(load.batch)]
    words += ["--request-count", str(load.requests), "--percentile", str(PERCENTILE)]
    words += ["-f", str(files.table), "--profile-export-file", str(files.export)]
    if load.clients is not None:
        words += ["--concurrency-range", str(load.clients)]
    else:
        words += ["--request-intervals", str(files.intervals), "--max-threads", "1"]
    if load.streaming or load.rate is not None:
        words += ["--async"]
    if load.streaming:
        words += ["--streaming"]
    if load.shared_memory is not None:
        words += ["--shared-memory", "system", "--output-shared-memory-size", str(load.shared_memory)]
    return words


def intervals(rate: float, count: int, seed: int = 0) -> list[int]:
    """Microseconds between requests of a Poisson process, scaled so that they take exactly `count / rate` seconds.

    perf_analyzer's own Poisson process always begins with the same intervals, and the first thirty of them make 0.6 of
    the rate that was asked for.
    """
    choose = random.Random(seed)
    steps = [choose.expovariate(rate) for _ in range(count)]
    scale = 1e6 * count / rate / sum(steps)
    return [max(1, round(scale * step)) for step in steps]


def texts_data(texts: Sequence[str]) -> dict[str, Any]:
    """perf_analyzer's input data: the texts take turns."""
    return {"data": [{"TEXT": {"content": [text], "shape": [1]}} for text in texts]}


def tensor_data(name: str, shape: Sequence[int], seed: int = 0) -> dict[str, Any]:
    """The same for one FP32 tensor of normally distributed values."""
    choose = random.Random(seed)
    count = 1
    for length in shape:
        count *= length
    values = [round(choose.gauss(0, 1), 3) for _ in range(count)]
    return {"data": [{name: {"content": values, "shape": list(shape)}}]}


def write(load: Load, files: Files, data: Mapping[str, Any]) -> None:
    """Put the input where the command reads it, and take an earlier run's results away: it refuses to overwrite."""
    files.folder.mkdir(parents=True, exist_ok=True)
    files.data.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    files.table.unlink(missing_ok=True)
    files.export.unlink(missing_ok=True)
    if load.rate is not None:
        lines = "".join(f"{step}\n" for step in intervals(load.rate, load.requests))
        files.intervals.write_text(lines, encoding="ascii")
