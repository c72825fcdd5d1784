"""``python -m server serve`` as a user runs it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FREE = ("--grpc-port", "0", "--http-port", "0", "--metrics-port", "0")


@contextmanager
def command(tmp_path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "server", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path / "state")},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def outcome(tmp_path: Path, *arguments: str) -> tuple[int, str, str]:
    with command(tmp_path, *arguments) as process:
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_server_with_exit_code_0(
    repository: Any, traces: Any, tmp_path: Path, number: signal.Signals
) -> None:
    repository.onnx("double")
    with command(tmp_path, "serve", "--repository", str(repository.path), *FREE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        starting, ready = process.stdout.readline(), process.stdout.readline()
        assert starting.startswith(f"starting on {repository.path}, profile cpu (")
        assert "ready after" in ready
        assert ready.count("127.0.0.1:") == 3
        group = server_group(process.pid)
        process.send_signal(number)
        if number != signal.SIGINT:  # the second of an impatient user
            assert process.stdout.readline() == "stopping\n"
            process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(30) == 0
        assert rest == ("stopping\n" if number == signal.SIGINT else "")
        assert process.stderr.read() == ""
    traces.wait_until_gone(group, f"tts-{process.pid}-")
    (log,) = (tmp_path / "state" / "tts-server").iterdir()
    assert "successfully loaded 'double'" in log.read_text()


def test_a_model_that_does_not_load_is_one_line_and_exit_code_1(repository: Any, tmp_path: Path) -> None:
    (repository.onnx("double") / "1" / "model.onnx").write_bytes(b"x" * 100)
    code, _, err = outcome(tmp_path, "serve", "--repository", str(repository.path), *FREE)
    assert code == 1
    message = one_error(err)
    assert message.startswith("the server did not start: model double failed to load: the model file ")
    assert message.endswith("could not be loaded: it is corrupt or incomplete, export it again")


def test_a_model_that_does_not_load_is_a_warning_while_another_does(repository: Any, tmp_path: Path) -> None:
    repository.onnx("double")
    (repository.onnx("broken") / "1" / "model.onnx").write_bytes(b"x" * 100)
    with command(tmp_path, "serve", "--repository", str(repository.path), *FREE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        assert "ready after" in process.stdout.readline()
        process.terminate()
        assert process.wait(30) == 0
        (warning,) = process.stderr.read().splitlines()
    assert warning.startswith("warning: model broken is not served: the model file ")


def test_a_server_that_dies_is_one_line_and_started_again(repository: Any, traces: Any, tmp_path: Path) -> None:
    repository.onnx("double")
    with command(tmp_path, "serve", "--repository", str(repository.path), *FREE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.readline()
        dead = server_group(process.pid)
        os.kill(dead, signal.SIGKILL)
        line = process.stderr.readline()
        assert re.fullmatch(
            r"watch: restarted the server in [\d.]+ s: the server ended by itself: it was ended by SIGKILL\n", line
        )
        group = server_group(process.pid)
        assert group != dead
        assert traces.processes(dead) == []
        process.terminate()
        assert process.wait(30) == 0
    traces.wait_until_gone(group, f"tts-{process.pid}-")


def test_a_server_that_cannot_start_again_is_one_error_and_exit_code_1(repository: Any, tmp_path: Path) -> None:
    folder = repository.onnx("double")
    with command(tmp_path, "serve", "--repository", str(repository.path), *FREE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.readline()
        (folder / "1" / "model.onnx").write_bytes(b"x" * 100)
        os.kill(server_group(process.pid), signal.SIGKILL)
        assert process.wait(50) == 1
        *attempts, last = process.stderr.read().splitlines()
    assert len(attempts) == 4
    assert all("model double failed to load: the model file " in line for line in attempts)
    assert last.startswith(
        "error: 5 starts in a row failed, no more are tried: the server did not start: model double "
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--repository", "nowhere"), "the model repository nowhere does not exist"),
        (("--repository", "."), "the model repository . holds no model"),
        (
            ("--profile", "huge", "--repository", "repository"),
            'the profile "huge" is unknown: this repository has cpu',
        ),
        (("--grpc-port", "8", "--http-port", "8", "--repository", "repository"), "port 8 was given for both"),
        (("--grpc-port", "70000", "--repository", "repository"), "not between 1 and 65535"),
        (("--grpc-port", "many"), "--grpc-port"),
        (("--nonsense",), "--nonsense"),
        (("--host", "speech.example", "--repository", "repository"), "is no IP address to listen on"),
        (("--certificate", "a.crt", "--repository", "repository"), "--certificate and --key belong together"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(
    repository: Any, tmp_path: Path, arguments: Sequence[str], message: str
) -> None:
    repository.onnx("double")
    code, out, err = outcome(tmp_path, "serve", *arguments)
    assert (code, out) == (2, "")
    assert message in one_error(err)


def test_a_port_in_use_is_exit_code_2(repository: Any, tmp_path: Path) -> None:
    repository.onnx("double")
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        code, _, err = outcome(tmp_path, "serve", "--repository", str(repository.path), "--metrics-port", port)
    assert code == 2
    assert f"port {port} for metrics is already in use" in one_error(err)


def one_error(text: str) -> str:
    assert text.startswith("error: "), text
    assert text.count("\n") == 1, text
    return text.removeprefix("error: ").rstrip("\n")


def server_group(launcher: int) -> int:
    """The tritonserver: the child of the launcher's child."""
    return child_of(child_of(launcher))


def child_of(pid: int) -> int:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            return int(stat.parent.name)
    raise AssertionError(f"{pid} has no child")
