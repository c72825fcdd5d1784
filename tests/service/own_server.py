"""A real server on a copy of the repository, with settings of its own and a gate that requests can be held at."""

from __future__ import annotations

import os
import re
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc as grpcclient

from client import Speech, Synthesizer
from server import ServerError, ServerOptions, TritonServer

PATIENCE = 60.0
LOG_LINES = 80  # the stack that Triton logs when it aborts takes 30
VOICE = "demo"

_GATED = """
import time
from pathlib import Path

from gated import TritonPythonModel as Gated

_CLOSED = Path(__file__).with_name("closed")


class TritonPythonModel(Gated):
    def execute(self, requests):
        while _CLOSED.exists():
            time.sleep(0.01)
        return super().execute(requests)
"""


class Copy:
    """A copy of the model repository that may be changed before a server is started on it."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.folder = folder
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(repository, folder, copy_function=_copy, ignore=skipped, dirs_exist_ok=True)

    def configure(self, parameters: Mapping[str, float]) -> None:
        """Set parameters of the front door."""
        file = self.folder / "tts" / "config.pbtxt"
        text = file.read_text("utf-8")
        for name, value in parameters.items():
            known = re.compile(rf'(key: "{name}"\s+value \{{\s+string_value: )"[^"]*"')
            assert known.search(text), f"the front door has no parameter {name}"
            text = known.sub(rf'\g<1>"{value}"', text)
        file.write_text(text, "utf-8")

    def add_voice(self, name: str, of: str = VOICE) -> None:
        """A voice once more, by another name."""
        for model in sorted(self.folder.glob(f"{of}*")):
            made = self.folder / model.name.replace(of, name, 1)
            shutil.copytree(model, made, copy_function=_copy)
            for file in (*made.rglob("*.pbtxt"), *made.rglob("voice.json"), *made.rglob("design.json")):
                file.write_text(file.read_text("utf-8").replace(f'"{of}', f'"{name}'), "utf-8")

    def serve_float32(self) -> None:
        """Have every stage of the demo voice served in float32, whatever the profile asks for."""
        for config in self.folder.glob(f"{VOICE}_*/**/*.pbtxt"):
            text = config.read_text("utf-8")
            config.write_text(re.sub(r"model\.(fp16|int8)\.onnx", "model.onnx", text), "utf-8")

    def damage(self, model: str) -> None:
        """Make every form of a stage what no server can load."""
        for file in (self.folder / model / "1").glob("*.onnx"):
            file.unlink()  # it may be the original, too
            file.write_bytes(b"not a model")

    def add_gate(self) -> Path:
        """While the file that this returns exists, requests stop at the aligner."""
        version = self.folder / "aligner" / "1"
        (version / "model.py").rename(version / "gated.py")
        (version / "model.py").write_text(_GATED, "utf-8")
        return version / "closed"


def _copy(source: str, target: str) -> None:
    """Models are large and never changed: they are the same file, where the file system can."""
    if source.endswith(".onnx"):
        try:
            os.link(source, target)
            return
        except OSError:
            pass  # another file system
    shutil.copyfile(source, target)


@dataclass
class Front:
    """A running front door, and what can be counted at it."""

    server: TritonServer
    synthesizer: Synthesizer
    client: grpcclient.InferenceServerClient
    threads: ThreadPoolExecutor
    closed: Path

    def speak(self, text: str, **options: Any) -> Future[Speech]:
        """One request in the background."""
        return self.threads.submit(self.synthesizer.synthesize, text, **options)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Requests stop at the aligner until this is left."""
        self.closed.touch()
        try:
            yield
        finally:
            self.closed.unlink()

    def metric(self, name: str, **labels: str) -> float:
        """A metric's value now, 0 when there is none."""
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        with urllib.request.urlopen(f"http://{self.server.address.metrics}/metrics", timeout=PATIENCE) as page:
            for line in page.read().decode().splitlines():
                series, _, value = line.rpartition(" ")
                found, _, rest = series.partition("{")
                if found == name and wanted == {part for part in rest.rstrip("}").split(",") if part}:
                    return float(value)
        return 0.0

    def inferences(self, model: str) -> int:
        """How many inferences a model has begun and ended well."""
        (statistics,) = self.client.get_inference_statistics(model).model_stats
        return int(statistics.inference_count)

    def ready(self, model: str) -> bool:
        return bool(self.client.is_model_ready(model))

    def log(self) -> str:
        return self.server.log_text()


def eventually(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds; fail when it does not for long."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.05)


@contextmanager
def front_door(copy: Copy, threads: int = 40, **options: Any) -> Iterator[Front]:
    """A server on a copy of the repository; `options` are `ServerOptions`. Its log stays beside the copy.

    Fails with the end of the log when the server died meanwhile.
    """
    closed = copy.add_gate()
    log = copy.folder.with_name(f"{copy.folder.name}.log")
    with (
        TritonServer(ServerOptions(copy.folder, log_file=log, **options)) as server,
        Synthesizer(server.address.grpc, timeout=PATIENCE) as synthesizer,
        grpcclient.InferenceServerClient(server.address.grpc) as client,
        ThreadPoolExecutor(threads) as pool,
    ):
        front = Front(server, synthesizer, client, pool, closed)
        try:
            yield front
        finally:
            closed.unlink(missing_ok=True)
            _check(server)


def _check(server: TritonServer) -> None:
    """Fail when the server has died, and say why."""
    try:
        server.check()
    except ServerError as error:
        pytest.fail(f"{error}; the end of {server.log_path}:\n{server.log_tail(LOG_LINES)}", pytrace=False)
