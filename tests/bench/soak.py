"""`scripts/soak`: full load of mixed work for a while, and what became of memory, requests and the server."""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.processes import memory, process, total, tree
from bench.served import Served
from bench.tally import Tally
from bench.workload import MIX, Worker
from client import Metrics, SpeechError, Synthesizer, Timeout, read_metrics

SAMPLE_SECONDS = 10.0
# Far longer than any request takes at this load: what takes longer hangs, and is to be told.
PATIENCE = Timeout(total=300.0, connect=10.0)
# A server that refuses or is away is not asked a thousand times a second.
PAUSE_SECONDS = 1.0

_RESTARTED = "watch: restarted the server"


@dataclass(frozen=True)
class Sample:
    """The service at one moment: seconds from the start, MiB, and counts so far."""

    seconds: float
    tree_mib: float | None
    launcher_mib: float | None
    processes: int
    threads: int
    files: int
    degradation_step: int | None
    audio_seconds: float
    requests: int
    failures: int
    outcomes: dict[str, dict[str, int]]


@dataclass
class Run:
    """What a soak leaves to be judged."""

    seconds: float
    clients: int
    samples: list[Sample] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    servers: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    first_processes: list[dict[str, Any]] = field(default_factory=list)
    last_processes: list[dict[str, Any]] = field(default_factory=list)
    counted: Metrics | None = None

    @property
    def restarts(self) -> int:
        """How often another process took the server's place, as seen from outside or told by the launcher."""
        return max(len(self.servers) - 1, sum(_RESTARTED in line for line in self.said), 0)


def soak(repository: Path, minutes: float, clients: int, profile: str | None = None, seed: int = 0) -> Run:
    """Load a service of its own for that long."""
    run = Run(60 * minutes, clients)
    with tempfile.TemporaryDirectory() as folder, Served(repository, Path(folder) / "server.log", profile) as served:
        with Synthesizer(served.grpc, timeout=PATIENCE) as synthesizer:
            presets = tuple(preset.name for preset in synthesizer.styles())
        begin = time.monotonic()
        ended = threading.Event()
        with ThreadPoolExecutor(clients) as pool:
            work = [
                pool.submit(_client, served.grpc, run.tally, begin, ended, random.Random(seed + index), folder, presets)
                for index in range(clients)
            ]
            try:
                _sample(served, run, begin, work)
            finally:
                ended.set()
        for each in work:
            each.result()
        run.seconds = time.monotonic() - begin
        run.samples.append(_now(served, run, begin))
        run.counted = _metrics(served.metrics)
        # Not its first line: where this machine keeps the repository and the log is nobody's business.
        run.said = [line for line in served.lines if not line.startswith("starting on ")]
    return run


def _client(
    address: str,
    tally: Tally,
    begin: float,
    ended: threading.Event,
    choose: random.Random,
    folder: str,
    presets: tuple[str, ...],
) -> None:
    """One client: a request after the other, of kinds by lot, until the end."""
    weights = [weight for weight, _ in MIX.values()]
    with Synthesizer(address, timeout=PATIENCE) as synthesizer:
        while not ended.is_set():
            kind = choose.choices(list(MIX), weights)[0]
            with tempfile.TemporaryDirectory(dir=folder) as own:
                worker = Worker(synthesizer, choose, Path(own), presets)
                start = time.monotonic()
                try:
                    done = MIX[kind][1](worker)
                except Exception as error:  # whatever it is, it is what a soak is there to find
                    tally.fail(kind, time.monotonic() - begin, error)
                    ended.wait(PAUSE_SECONDS)
                else:
                    tally.add(kind, time.monotonic() - start, done)


def _sample(served: Served, run: Run, begin: float, work: list[Future[None]]) -> None:
    """Look at the service every now and then, until the time is up or a client has died of a defect of its own."""
    count = 0
    while (left := begin + run.seconds - time.monotonic()) > 0 and not any(each.done() for each in work):
        if time.monotonic() >= begin + count * SAMPLE_SECONDS:
            run.samples.append(_now(served, run, begin))
            count += 1
        time.sleep(min(0.5, left))


def _now(served: Served, run: Run, begin: float) -> Sample:
    server = served.server()
    if server is not None and (not run.servers or run.servers[-1] != server):
        run.servers.append(server)
    rows = memory(server) if server is not None else []
    if rows:
        run.first_processes = run.first_processes or [asdict(row) for row in rows]
        run.last_processes = [asdict(row) for row in rows]
    launcher = process(served.launcher)
    threads, files = _handles(server) if server is not None else (0, 0)
    metrics, tally = _metrics(served.metrics), run.tally
    return Sample(
        round(time.monotonic() - begin, 1),
        total(rows),
        launcher.pss_mib if launcher else None,
        len(rows),
        threads,
        files,
        metrics.degradation_step if metrics else None,
        tally.audio,
        tally.requests,
        tally.failures,
        tally.outcomes(),
    )


def _handles(server: int) -> tuple[int, int]:
    """Threads and open files of the whole tree, in which leaks show before they do in memory."""
    threads = files = 0
    for pid in tree(server):
        with contextlib.suppress(psutil.Error):  # it has just ended
            threads += psutil.Process(pid).num_threads()
            files += psutil.Process(pid).num_fds()
    return threads, files


def _metrics(address: str) -> Metrics | None:
    try:
        return read_metrics(address)
    except SpeechError:  # there is no server at this moment, which the samples tell anyway
        return None
