"""`serve` with the real repository: whatever is killed, the service is back soon and nothing is left behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from client import ServiceUnavailable, Speech, SpeechError, Synthesizer
from server import stubs

BACK_WITHIN = 30.0  # seconds: twice what is promised, since the machine that runs the tests may be busy
SENTENCE = "今天天气真好，我们去公园散步吧。"
PROCESSES = (
    "text_frontend",
    "demo_style",
    "demo_encoder",
    "aligner",
    "demo_decoder",
    "demo_melgan",
    "postprocess",
    "tts",
    "server",
)


class Served:
    """The command, its server and what it has said."""

    def __init__(self, process: subprocess.Popen[str], temporary: Path) -> None:
        self.process = process
        self.temporary = temporary
        self.said: list[str] = []  # by the watch: the router has things to say of its own
        threading.Thread(target=self._listen, daemon=True).start()
        assert process.stdout is not None
        process.stdout.readline()
        match = re.search(r"grpc (127\.0\.0\.1:\d+)", process.stdout.readline())
        assert match, self.said
        self.address = match.group(1)

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self.said += (line.rstrip() for line in self.process.stderr if line.startswith("watch: "))

    @property
    def server(self) -> int:
        """The tritonserver: the child of the launcher's child."""
        (guard,) = psutil.Process(self.process.pid).children()
        (server,) = guard.children()
        return server.pid

    def pid(self, name: str) -> int | None:
        if name == "server":
            return self.server
        return next((stub.pid for stub in stubs.living(self.server).values() if stub.model == name), None)

    def traces(self) -> tuple[int, int, int]:
        """Stub processes, regions of shared memory, temporary directories."""
        regions = [name for name in os.listdir("/dev/shm") if name.startswith(f"tts-{self.process.pid}-")]
        return len(stubs.living(self.server)), len(regions), len(list(self.temporary.glob("tts-*")))


@pytest.fixture(scope="module")
def served(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    temporary = tmp_path_factory.mktemp("temporary")
    arguments = ("--repository", str(repository), "--grpc-port", "0", "--http-port", "0", "--metrics-port", "0")
    with subprocess.Popen(
        [sys.executable, "-m", "server", "serve", *arguments, "--log-file", str(temporary.parent / "triton.log")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository.parent), "TMPDIR": str(temporary)},
    ) as process:
        try:
            yield Served(process, temporary)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def speak(served: Served) -> Callable[..., Speech | SpeechError]:
    """What comes of one request: speech, or the error."""

    def call(text: str = SENTENCE, timeout: float = 30.0) -> Speech | SpeechError:
        try:
            with Synthesizer(served.address) as synthesizer:
                return synthesizer.synthesize(text, timeout=timeout)
        except SpeechError as error:
            return error

    return call


@pytest.fixture
def four() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def wait_for(condition: Callable[[], bool], seconds: float = BACK_WITHIN) -> float:
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds
        time.sleep(0.05)
    return time.monotonic() - begin


@pytest.mark.parametrize("name", PROCESSES)
def test_service_is_back_after_any_process_was_killed(served, speak, four, name):
    victim = served.pid(name)
    if victim is None:
        pytest.skip(f"{name} has no process of its own on this server")
    before = served.traces()
    events = len(served.said)
    in_flight = [four.submit(speak, SENTENCE * 4) for _ in range(3)]
    time.sleep(0.3)
    os.kill(victim, 9)
    begin = time.monotonic()
    wait_for(lambda: isinstance(speak("你好。", timeout=5.0), Speech))
    seconds = time.monotonic() - begin
    print(f"{name}: back after {seconds:.1f} s")
    assert seconds < BACK_WITHIN
    outcomes = [future.result() for future in in_flight]
    assert all(isinstance(outcome, Speech | ServiceUnavailable) for outcome in outcomes), outcomes
    wait_for(lambda: served.pid(name) not in (None, victim))
    wait_for(lambda: len(served.said) > events)
    wait_for(lambda: served.traces() == before)


def test_load_restarts_nothing(served, speak):
    server, events = served.server, len(served.said)
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda _: speak(SENTENCE * 2, timeout=5.0), range(40)))
    assert isinstance(speak("你好。"), Speech)
    assert served.server == server
    assert served.said[events:] == []


def test_a_stream_in_flight_is_finished_when_the_server_is_told_to_stop(served, speak, four):
    whole = speak(SENTENCE * 12, timeout=60.0)
    assert isinstance(whole, Speech)
    server = served.server
    long = four.submit(speak, SENTENCE * 12, 60.0)
    time.sleep(0.3)
    served.process.terminate()
    wait_for(lambda: isinstance(speak("你好。", timeout=2.0), ServiceUnavailable))
    outcome = long.result()
    assert isinstance(outcome, Speech), outcome
    assert len(outcome.samples) == len(whole.samples)
    assert served.process.wait(40) == 0
    assert not psutil.pid_exists(server)
    assert [name for name in os.listdir("/dev/shm") if name.startswith(f"tts-{served.process.pid}-")] == []
    assert list(served.temporary.glob("tts-*")) == []
