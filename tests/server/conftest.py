"""Tiny model repositories, a running server, and ways to see what a server left behind."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from server import ServerOptions, TritonServer

BACKEND = Path(__file__).resolve().parents[2] / "backends" / "onnxruntime"

STREAMING_MODEL = """
import numpy as np
import triton_python_backend_utils as pb

class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            sender = request.get_response_sender()
            {body}
            sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
"""


class Repository:
    """Builds a model repository of ONNX and Python models."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def onnx(
        self,
        name: str,
        nodes: Sequence[tuple[Any, ...]] = (("Add", ("x", "x"), ("y",)),),
        inputs: dict[str, tuple[str, Sequence[Any]]] | None = None,
        outputs: dict[str, tuple[str, Sequence[Any]]] | None = None,
        config: str | None = None,
        extra: str = "",
    ) -> Path:
        """A model of plain nodes; by default y = x + x over [batch, any]. Returns its folder."""
        from onnx import TensorProto, helper, save

        kinds = {"FP32": TensorProto.FLOAT, "FP16": TensorProto.FLOAT16, "INT64": TensorProto.INT64}
        kinds |= {"STRING": TensorProto.STRING, "INT32": TensorProto.INT32}
        inputs = inputs or {"x": ("FP32", ["B", "N"])}
        outputs = outputs or {"y": ("FP32", ["B", "N"])}
        graph = helper.make_graph(
            [
                helper.make_node(op, list(takes), list(gives), **dict(*attributes))
                for op, takes, gives, *attributes in nodes
            ],
            name,
            [helper.make_tensor_value_info(key, kinds[kind], shape) for key, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(key, kinds[kind], shape) for key, (kind, shape) in outputs.items()],
        )
        folder = self.path / name
        (folder / "1").mkdir(parents=True)
        save(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
            str(folder / "1" / "model.onnx"),
        )
        if config is None:
            config = (
                "max_batch_size: 8\n"
                f"input [{_tensors(inputs)}]\noutput [{_tensors(outputs)}]\n"
                "instance_group [{ count: 1 kind: KIND_AUTO }]\n"
            )
        (folder / "config.pbtxt").write_text(f'name: "{name}"\nbackend: "onnxruntime"\n{config}{extra}')
        return folder

    def python(self, name: str, code: str, config: str) -> Path:
        folder = self.path / name
        (folder / "1").mkdir(parents=True)
        (folder / "1" / "model.py").write_text(code)
        (folder / "config.pbtxt").write_text(f'name: "{name}"\nbackend: "python"\n{config}')
        return folder

    def front_door(self, body: str) -> Path:
        """A ``tts`` that runs ``body`` for each request (``sender`` is at hand)."""
        return self.python(
            "tts",
            STREAMING_MODEL.format(body=body),
            "max_batch_size: 0\nmodel_transaction_policy { decoupled: true }\n"
            'input [{ name: "TEXT" data_type: TYPE_STRING dims: [1] }]\n'
            'output [{ name: "AUDIO" data_type: TYPE_INT16 dims: [-1] }]\n'
            "instance_group [{ count: 1 kind: KIND_CPU }]\n",
        )


def _tensors(tensors: dict[str, tuple[str, Sequence[Any]]]) -> str:
    return ", ".join(
        f'{{ name: "{key}" data_type: TYPE_{kind} '
        f"dims: [{', '.join(str(axis if isinstance(axis, int) else -1) for axis in shape[1:])}] }}"
        for key, (kind, shape) in tensors.items()
    )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture(scope="session")
def new_repository(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Repository]:
    return lambda: Repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def make_server() -> Iterator[Callable[..., TritonServer]]:
    """Makes servers that are killed when the test ends."""
    made: list[TritonServer] = []

    def make(path: Path, ready_timeout: float = 60, probe: Any = None, **options: Any) -> TritonServer:
        probing = {} if probe is None else {"probe": probe}
        made.append(TritonServer(ServerOptions(path, **options), ready_timeout=ready_timeout, **probing))
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="session")
def ort() -> Any:
    """The plain modules of the ONNX backend."""
    sys.path.insert(0, str(BACKEND))
    try:
        names = ("ort_checks", "ort_options", "ort_batch", "ort_openvino")
        return SimpleNamespace(**{name.removeprefix("ort_"): importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(BACKEND))


class Traces:
    """What a server's process group and shared memory prefix still hold."""

    def processes(self, group: int) -> list[str]:
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(stat.parent.name)
        return found

    def shared_memory(self, prefix: str) -> list[str]:
        return [name for name in os.listdir("/dev/shm") if name.startswith(prefix)]

    def wait_until_gone(self, group: int, prefix: str, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while (self.processes(group) or self.shared_memory(prefix)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.processes(group) == []
        assert self.shared_memory(prefix) == []


@pytest.fixture(scope="session")
def traces() -> Traces:
    return Traces()
