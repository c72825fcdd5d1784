"""A real server: how it starts, fails and goes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as grpc

from server import ports
from server.errors import NotReady, PortInUse, PortRace, ProbeFailed, ServerDied, ServerError, StartFailed

ROOT = Path(__file__).resolve().parents[2]
OPENVINO = 'optimization { execution_accelerators { cpu_execution_accelerator [{ name: "openvino" }] } }\n'

LAUNCHER = """
import sys, time
from pathlib import Path
from server import ServerOptions, TritonServer
server = TritonServer(ServerOptions(Path(sys.argv[1])))
server.start()
server.wait_ready()
print(server.pid, server.shm_prefix, flush=True)
if sys.argv[2] == "wait":
    time.sleep(60)
"""


def double(address: Any, value: float = 2.0) -> float:
    with grpc.InferenceServerClient(address.grpc) as client:
        x = grpc.InferInput("x", [1, 3], "FP32")
        x.set_data_from_numpy(np.full((1, 3), value, np.float32))
        return float(client.infer("double", [x], client_timeout=20).as_numpy("y")[0, 0])


def test_a_server_answers_and_leaves_nothing_when_it_stops(repository: Any, make_server: Any, traces: Any) -> None:
    repository.onnx("double")
    server = make_server(repository.path)
    with server:
        group, prefix, work = server.pid, server.shm_prefix, server.log_path.parent
        assert double(server.address) == 4.0
        assert len(traces.processes(group)) == 2
        assert traces.shared_memory(prefix)
    assert traces.processes(group) == []
    assert traces.shared_memory(prefix) == []
    assert not work.exists()
    assert ports.is_free("127.0.0.1", server.address.grpc_port)
    server.stop()  # again does no harm


def test_a_stopped_server_can_be_started_again(repository: Any, make_server: Any) -> None:
    repository.onnx("double")
    server = make_server(repository.path)
    server.start()
    with pytest.raises(ServerError, match="already started"):
        server.start()
    server.kill()
    with pytest.raises(ServerError, match="not running"):
        server.check()
    server.start()
    server.wait_ready()
    assert double(server.address) == 4.0


def test_nothing_is_left_when_the_launcher_is_killed_or_just_ends(repository: Any, traces: Any) -> None:
    repository.onnx("double")

    def launch(end: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", LAUNCHER, str(repository.path), end]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment())

    with launch("wait") as killed, launch("leave") as ended:
        assert killed.stdout is not None
        assert ended.stdout is not None
        first, second = killed.stdout.readline().split(), ended.stdout.readline().split()
        assert traces.processes(int(first[0]))
        killed.kill()
        ended.wait(30)
    for group, prefix in (first, second):
        traces.wait_until_gone(int(group), prefix)


def test_a_killed_server_is_noticed_with_its_signal(repository: Any, make_server: Any, traces: Any) -> None:
    repository.onnx("double")
    server = make_server(repository.path).__enter__()
    group, prefix = server.pid, server.shm_prefix
    os.kill(group, signal.SIGKILL)
    with pytest.raises(ServerDied, match="ended by SIGKILL"):
        wait_for_death(server)
    traces.wait_until_gone(group, prefix)


def test_a_killed_guard_takes_the_server_with_it(repository: Any, make_server: Any, traces: Any) -> None:
    repository.onnx("double")
    server = make_server(repository.path).__enter__()
    group, prefix = server.pid, server.shm_prefix
    os.kill(parent_of(group), signal.SIGKILL)
    with pytest.raises(ServerDied):
        wait_for_death(server)
    traces.wait_until_gone(group, prefix)


def test_a_port_in_use_is_named_before_anything_starts(repository: Any, make_server: Any) -> None:
    repository.onnx("double")
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} for http is already in use"):
            make_server(repository.path, http_port=port).start()


@pytest.mark.parametrize("name", ["grpc", "metrics"])
def test_a_port_lost_between_the_choice_and_the_start_is_chosen_again(
    repository: Any, make_server: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    repository.onnx("double")
    allocate = ports.allocate
    attempts = 0
    with socket.create_server(("127.0.0.1", 0)) as holder:

        def unlucky(host: str, requested: Any) -> ports.Ports:
            nonlocal attempts
            attempts += 1
            allocated = allocate(host, requested)
            if attempts == 1:
                setattr(allocated, name, holder.getsockname()[1])
            return allocated

        monkeypatch.setattr("server.triton.ports.allocate", unlucky)
        server = make_server(repository.path).__enter__()
        assert double(server.address) == 4.0
    assert attempts == 2


def test_a_lost_port_that_was_asked_for_is_an_error(
    repository: Any, make_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.onnx("double")
    monkeypatch.setattr("server.ports._require", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        server = make_server(repository.path, grpc_port=port, http_port=free(), metrics_port=free())
        with pytest.raises(PortRace, match=f"port {port} for GRPC is already in use"):
            server.__enter__()


@pytest.mark.parametrize("accelerator", ["", OPENVINO], ids=["onnxruntime", "openvino"])
def test_a_corrupt_model_ends_the_start_with_its_cause(repository: Any, make_server: Any, accelerator: str) -> None:
    (repository.onnx("double", extra=accelerator) / "1" / "model.onnx").write_bytes(b"not an onnx file" * 20)
    with pytest.raises(StartFailed, match=r"model double failed to load: .*model.onnx .*corrupt") as caught:
        make_server(repository.path).__enter__()
    assert "\n" not in str(caught.value)
    assert caught.value.detail


def test_a_config_that_differs_from_the_graph_is_refused(repository: Any, make_server: Any) -> None:
    folder = repository.onnx("double", inputs={"x": ("FP32", ["B", 80])}, outputs={"y": ("FP32", ["B", 80])})
    config = folder / "config.pbtxt"
    config.write_text(config.read_text().replace("80", "81"))
    message = r'input "x" has the shape \[-1, 81\] in the config .* and \[-1, 80\] in the ONNX model: axis 1'
    with pytest.raises(StartFailed, match=message):
        make_server(repository.path).__enter__()


def test_a_missing_model_file_does_not_hang(repository: Any, make_server: Any) -> None:
    folder = repository.front_door("pass")
    (folder / "1" / "model.py").unlink()
    with pytest.raises(StartFailed, match=r"model tts failed to load: .*model file not found"):
        make_server(repository.path).__enter__()


def test_a_start_that_takes_too_long_is_given_up(repository: Any, make_server: Any) -> None:
    repository.python(
        "slow",
        "import time\nclass TritonPythonModel:\n    def initialize(self, args):\n        time.sleep(60)\n"
        "    def execute(self, requests):\n        return []\n",
        'input [{ name: "x" data_type: TYPE_FP32 dims: [1] }]\noutput [{ name: "y" data_type: TYPE_FP32 dims: [1] }]\n',
    )
    server = make_server(repository.path, ready_timeout=1)
    server.start()
    with pytest.raises(NotReady, match="not ready within 1 s"):
        server.wait_ready()


def test_the_probe_wants_audio_from_the_front_door(repository: Any, make_server: Any) -> None:
    repository.front_door('sender.send(pb.InferenceResponse([pb.Tensor("AUDIO", np.ones(9, np.int16))]))')
    assert make_server(repository.path).__enter__().running


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('sender.send(pb.InferenceResponse([pb.Tensor("AUDIO", np.ones(0, np.int16))]))', "gave no audio"),
        (
            'sender.send(pb.InferenceResponse(error=pb.TritonError("no voice here")))',
            "failed: .*no voice here",
        ),
    ],
)
def test_a_front_door_without_audio_is_not_ready(repository: Any, make_server: Any, body: str, message: str) -> None:
    repository.front_door(body)
    with pytest.raises(ProbeFailed, match=message):
        make_server(repository.path).__enter__()


def test_a_request_in_flight_is_finished_when_the_server_stops(repository: Any, make_server: Any) -> None:
    repository.front_door(
        "__import__('time').sleep(1.5)\n"
        '            sender.send(pb.InferenceResponse([pb.Tensor("AUDIO", np.ones(5, np.int16))]))'
    )
    server = make_server(repository.path, probe=lambda address: None, exit_timeout=2).__enter__()
    with grpc.InferenceServerClient(server.address.grpc) as client:
        answers: list[Any] = []
        done = threading.Event()
        client.start_stream(callback=lambda result, error: (answers.append((result, error)), done.set()))
        text = grpc.InferInput("TEXT", [1], "BYTES")
        text.set_data_from_numpy(np.array([b"a"], dtype=object))
        client.async_stream_infer("tts", [text])
        time.sleep(0.3)
        server.stop()
        assert done.wait(1)
        client.stop_stream()
        result, error = answers[0]
        assert error is None
        assert result.as_numpy("AUDIO").size == 5


def test_a_profile_and_an_explicit_list_of_models_are_used(repository: Any, make_server: Any) -> None:
    folder = repository.onnx("double")
    repository.onnx("other")
    plain = (folder / "config.pbtxt").read_text()
    (folder / "configs").mkdir()
    (folder / "configs" / "small.pbtxt").write_text(plain.replace("max_batch_size: 8", "max_batch_size: 2"))
    server = make_server(repository.path, profile="small", load=("double",)).__enter__()
    with grpc.InferenceServerClient(server.address.grpc) as client:
        assert client.get_model_config("double").config.max_batch_size == 2
        assert not client.is_model_ready("other")
        client.load_model("other")
        assert client.is_model_ready("other")


def wait_for_death(server: Any) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        server.check()
        time.sleep(0.02)
    raise AssertionError("the death went unnoticed")


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        return int(holder.getsockname()[1])
