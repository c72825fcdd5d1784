"""A real server with everything that watches it: Prometheus and a collector of spans."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from metrics_page import serving
from service.own_server import Copy, Front, front_door

from monitoring.collector import Collector, collecting
from monitoring.prometheus_server import Prometheus, prometheus
from server import stubs
from server.tracing import Trace

HURRY = 60
FULL = """
tts_memory_used_fraction{where="gpu"} 0.86
tts_memory_used_fraction{where="host"} 0.91
tts_degradation_step 3
"""
_STARVING = """
import time
from pathlib import Path

import numpy as np
from gated import TritonPythonModel as Gated

_CLOSED, _STARVED = Path(__file__).with_name("closed"), Path(__file__).with_name("starved")


class TritonPythonModel(Gated):
    def execute(self, requests):
        while _CLOSED.exists():
            time.sleep(0.01)
            if _STARVED.exists():
                _STARVED.unlink()
                np.empty(2**55)
        return super().execute(requests)
"""


class Starving(Copy):
    """A copy whose gate can also have the stage ask for more memory than there is."""

    def add_gate(self) -> Path:
        closed = super().add_gate()
        closed.with_name("model.py").write_text(_STARVING, "utf-8")
        return closed


@dataclass
class Watched:
    """A server that runs `run` requests and lets `wait` wait, and what watches it."""

    run: ClassVar = 2
    wait: ClassVar = 8

    copy: Copy
    front: Front
    prometheus: Prometheus
    collector: Collector

    def kill(self, model: str) -> None:
        """End a model's process."""
        (stub,) = [stub for stub in stubs.living(self.front.server.pid).values() if stub.model == model]
        os.kill(stub.pid, signal.SIGKILL)


@pytest.fixture(scope="package")
def watched(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server that runs two requests and lets eight wait, and traces each."""
    copy = Starving(repository, tmp_path_factory.mktemp("repository"))
    copy.configure({"max_in_flight": Watched.run, "max_waiting": Watched.wait})
    folder = tmp_path_factory.mktemp("prometheus")
    with serving(FULL) as full, collecting() as collector, front_door(copy, trace=Trace.to(collector.url)) as front:
        targets = {"tts": [front.server.address.metrics, full]}
        with prometheus(folder, targets, HURRY) as watching:
            yield Watched(copy, front, watching, collector)
