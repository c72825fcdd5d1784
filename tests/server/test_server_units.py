"""The launcher's parts, without a server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from server import assemble, find, ports, repository
from server.errors import (
    BadRequest,
    PortInUse,
    RepositoryError,
    ServerError,
    ServerNotFound,
    UnfitEnvironment,
    UnknownProfile,
)
from server.find import Installation
from server.options import ServerOptions, command_line, process_environment
from server.process import GuardedProcess, Job
from server.security import Access

ON_LOOPBACK = dict.fromkeys(ports.NAMES, "127.0.0.1")


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_named_server_comes_first_then_path_then_the_wheel(tmp_path: Path) -> None:
    named = executable(tmp_path / "named" / "bin" / "tritonserver")
    on_path = executable(tmp_path / "path" / "tritonserver")
    variables = {"TRITONSERVER": str(named), "PATH": str(on_path.parent)}
    assert find.find(environment=variables).binary == named
    assert find.find(named.parent.parent, environment={}).binary == named
    assert find.find(environment={"PATH": str(on_path.parent)}).binary == on_path
    found = find.find(environment={"PATH": ""})
    assert found.from_wheel
    assert found.binary.name == "tritonserver"
    assert found.libraries is not None
    assert found.libraries.is_dir()
    assert find.find(found.binary).from_wheel  # also when it is named


def test_a_server_that_is_not_there_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerNotFound, match="is not a tritonserver"):
        find.find(tmp_path / "nothing")

    def missing(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(ServerNotFound, match="scripts/setup"):
        find.find(environment={"PATH": ""})


def test_the_backends_are_copied_complete_and_executable(tmp_path: Path) -> None:
    target = tmp_path / "backends"
    made = assemble.assemble(find.in_wheel(), target)
    assert {path.name for path in target.iterdir()} == {"python", "onnxruntime", "language_model", "voice_design"}
    # Triton follows no link out of a backend's folder.
    assert not any(path.is_symlink() for path in target.rglob("*"))
    stub = target / "python" / assemble.STUB
    assert os.access(stub, os.X_OK)
    assert not stub.is_symlink()
    assert (target / "onnxruntime" / "model.py").is_file()
    assert (made.caches / "local").is_dir()
    assert not list(target.rglob("__pycache__"))
    assert [path.name for path in tmp_path.iterdir()] == ["backends"]


def test_a_failed_assembly_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        assemble.assemble(find.in_wheel(), tmp_path / "backends", stand_ins=tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("version", "refused"), [("1.26.4", False), ("2.0.1", True), ("10.1", True)])
def test_numpy_2_is_refused(monkeypatch: pytest.MonkeyPatch, version: str, refused: bool) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: version)
    if refused:
        with pytest.raises(UnfitEnvironment, match=r"empty outputs.*numpy<2"):
            assemble.check_environment()
    else:
        assemble.check_environment()


def test_an_old_glibc_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.31"))
    with pytest.raises(UnfitEnvironment, match=r"needs glibc 2\.35 and this system has 2\.31"):
        assemble.check_environment()


def test_a_python_without_a_shared_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = tmp_path / "stub"
    stub.write_bytes(b"\0libpython3.11.so.1.0\0libc.so.6\0")
    monkeypatch.setattr(assemble, "_library_folders", lambda: iter([tmp_path]))
    with pytest.raises(UnfitEnvironment, match=r"libpython3\.11\.so\.1\.0 was not found .*apt install libpython"):
        assemble._libpython(stub, tmp_path)
    (tmp_path / "libpython3.11.so.1.0").touch()
    assert assemble._libpython(stub, tmp_path / "bundled") == [tmp_path]
    assert assemble._libpython(stub, tmp_path) == []  # bundled


def test_a_python_without_a_stub_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installation = find.in_wheel()
    for version in ("3.9", "3.10"):
        (tmp_path / "python_backend_stubs" / version).mkdir(parents=True)
    with pytest.raises(UnfitEnvironment, match=r"no stub for Python .* use one of 3\.9, 3\.10"):
        assemble._stub(Installation(tmp_path / "bin" / "tritonserver", installation.libraries))


def test_chosen_ports_differ_and_stay_claimed_until_released() -> None:
    first = ports.allocate(ON_LOOPBACK, {})
    second = ports.allocate(ON_LOOPBACK, {"grpc": 0, "http": None})
    try:
        chosen = [first.grpc, first.http, first.metrics, second.grpc, second.http, second.metrics]
        assert len(set(chosen)) == 6
        assert first.chosen == {"grpc", "http", "metrics"}
        assert ports._claim(first.grpc) is None
    finally:
        first.release()
        second.release()
    claim = ports._claim(first.grpc)
    assert claim is not None
    claim.close()


def test_ports_that_cannot_be_had_are_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        assert not ports.is_free("127.0.0.1", port)
        with pytest.raises(PortInUse, match=f"port {port} for grpc"):
            ports.allocate(ON_LOOPBACK, {"grpc": port})
    with pytest.raises(BadRequest, match="both"):
        ports.allocate(ON_LOOPBACK, {"grpc": 30001, "http": 30001})


def test_models_and_profiles_are_read_from_the_folders(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="does not exist"):
        repository.models(tmp_path / "nowhere")
    (tmp_path / ".hidden" / "1").mkdir(parents=True)
    (tmp_path / "notes").mkdir()
    with pytest.raises(RepositoryError, match="holds no model"):
        repository.models(tmp_path)
    (tmp_path / "a" / "1").mkdir(parents=True)
    (tmp_path / "b" / "configs").mkdir(parents=True)
    (tmp_path / "b" / "configs" / "h100.pbtxt").touch()
    assert repository.models(tmp_path) == ("a", "b")
    assert repository.config_name(tmp_path, "h100") == "h100"
    assert repository.config_name(tmp_path, "cpu") is None
    assert repository.config_name(tmp_path, None) is None
    with pytest.raises(UnknownProfile, match='"a100" is unknown: this repository has cpu, h100'):
        repository.config_name(tmp_path, "a100")


def test_the_command_line_is_on_loopback_and_complete(tmp_path: Path) -> None:
    options = ServerOptions(tmp_path, load=("a", "b"), extra_args=("--log-info=false",))
    found = Installation(tmp_path / "bin" / "tritonserver")
    command = command_line(options, found, None, ports.Ports(1, 2, 3), "h100", "me", Access())
    assert command[0] == str(found.binary)
    for argument in (
        "--grpc-address=127.0.0.1 --http-address=127.0.0.1 --metrics-address=127.0.0.1 --grpc-port=1 --http-port=2 "
        "--metrics-port=3 --model-config-name=h100 --disable-auto-complete-config --model-control-mode=explicit "
        "--load-model=a --load-model=b --id=me --backend-config=python,shm-region-prefix-name=me- --log-info=false "
        f"--cache-config=local,size={64 << 20}"
    ).split():
        assert argument in command
    assert not any(argument.startswith("--backend-directory") for argument in command)
    assert "--exit-on-error=false" not in command
    rest = (found, None, ports.Ports(1, 2, 3), None, "me", Access())
    assert "--load-model=*" in command_line(ServerOptions(tmp_path), *rest)
    tolerant = command_line(ServerOptions(tmp_path, tolerant=True), *rest)
    assert {"--exit-on-error=false", "--strict-readiness=false"} <= set(tolerant)


def test_the_environment_puts_the_venv_and_the_libraries_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    made = assemble.Assembly(tmp_path, tmp_path, (Path("/libs"), Path("/python/lib")), Path("/venv/bin"))
    variables = process_environment(
        ServerOptions(tmp_path, environment={"A": "b"}), made, ports.Ports(1, 2, 3), Access()
    )
    assert variables["PATH"] == "/venv/bin:/bin"
    assert variables["LD_LIBRARY_PATH"] == "/libs:/python/lib"
    assert variables["A"] == "b"
    assert "PYTHONHOME" not in variables
    plain = process_environment(ServerOptions(tmp_path), None, ports.Ports(1, 2, 3), Access())
    assert plain["PATH"] == "/bin"
    assert plain["TTS_MODEL_CONTROL"] == "127.0.0.1:2"


def job(tmp_path: Path, script: str, grace: float = 5) -> Job:
    (tmp_path / "work").mkdir(exist_ok=True)
    (tmp_path / "log").touch()
    prefix = f"tts-test-{os.getpid()}-{time.monotonic_ns()}-"
    command = [sys.executable, "-S", "-c", script, f"/dev/shm/{prefix}"]
    return Job(command, dict(os.environ), tmp_path / "log", "nothing left to do", grace, prefix, [tmp_path / "work"])


def test_a_guarded_process_tells_its_exit_code_and_is_cleaned_up(tmp_path: Path, traces: Any) -> None:
    child = "import subprocess,sys; open(sys.argv[1]+'a','w').close(); subprocess.Popen(['sleep','60']); sys.exit(7)"
    asked = job(tmp_path, child)
    process = GuardedProcess(asked)
    while process.poll() is None:
        time.sleep(0.01)
    assert process.poll() == 7
    traces.wait_until_gone(process.pid, asked.shm_prefix)
    assert (tmp_path / "work").exists()  # until the launcher has read what it wants
    process.end(kill=False, patience=10)
    process.end(kill=False, patience=10)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(("kill", "grace"), [(False, 0.2), (True, 60)])
def test_a_process_that_ignores_its_end_is_killed(tmp_path: Path, traces: Any, kill: bool, grace: float) -> None:
    stubborn = "import signal,time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
    process = GuardedProcess(job(tmp_path, stubborn, grace))
    wait_for_text(tmp_path / "log", "on")
    begin = time.monotonic()
    process.end(kill=kill, patience=10)
    assert time.monotonic() - begin < 5
    assert traces.processes(process.pid) == []


def test_a_process_that_only_waits_for_connections_is_not_waited_for(tmp_path: Path, traces: Any) -> None:
    lingering = (
        "import signal,time; signal.signal(15, lambda *a: print('nothing left to do', flush=True)); "
        "print('on', flush=True)\nwhile True: time.sleep(60)"
    )
    process = GuardedProcess(job(tmp_path, lingering, grace=60))
    wait_for_text(tmp_path / "log", "on")
    process.end(kill=False, patience=20)
    assert traces.processes(process.pid) == []


def test_a_command_that_cannot_run_is_an_error(tmp_path: Path) -> None:
    asked = job(tmp_path, "")
    with pytest.raises(ServerError, match=r"could not be started: .*No such file"):
        GuardedProcess(Job(["/no/such/thing"], {}, asked.log, "", 1, asked.shm_prefix, asked.remove))
    assert not (tmp_path / "work").exists()


def test_the_guard_alone_does_nothing_when_nobody_asks() -> None:
    guard = Path(assemble.__file__).with_name("guard.py")
    done = subprocess.run([sys.executable, "-I", "-S", str(guard)], stdin=subprocess.DEVNULL, timeout=20, check=False)
    assert done.returncode == 0


def wait_for_text(path: Path, text: str) -> None:
    deadline = time.monotonic() + 10
    while text not in path.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert text in path.read_text()
