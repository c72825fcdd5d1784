"""A server with mutual TLS and a token: what a stranger gets, and that all of our own goes on behind it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import signal
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import httpx
import pytest
import trustme
from docs.documented import ROOT, blocks, commands
from gateway.conftest import running
from tritonclient.grpc import service_pb2

from client import cli as client
from server import Security, ServerAddress, ServerOptions, TritonServer, certificates, frontdoor, stubs
from server import repository as models
from server.control import Control, ControlError, connected
from server.watch import Watch

PAGE = ROOT / "docs" / "security.md"
TOKEN = "the-token-of-this-test-0123456789"
TEXT = "这句话谁也不许偷听。"
PATIENCE = 60.0

FREE = {
    "ServerLive": service_pb2.ServerLiveRequest(),
    "ServerReady": service_pb2.ServerReadyRequest(),
    "ServerMetadata": service_pb2.ServerMetadataRequest(),
    "ModelReady": service_pb2.ModelReadyRequest(name="tts"),
    "ModelMetadata": service_pb2.ModelMetadataRequest(name="tts"),
}
PROTECTED = {
    "RepositoryIndex": service_pb2.RepositoryIndexRequest(),
    "RepositoryModelLoad": service_pb2.RepositoryModelLoadRequest(model_name="aligner"),
    "RepositoryModelUnload": service_pb2.RepositoryModelUnloadRequest(model_name="aligner"),
    "ModelConfig": service_pb2.ModelConfigRequest(name="tts"),
    "ModelStatistics": service_pb2.ModelStatisticsRequest(name="tts"),
    "SystemSharedMemoryStatus": service_pb2.SystemSharedMemoryStatusRequest(),
    "SystemSharedMemoryUnregister": service_pb2.SystemSharedMemoryUnregisterRequest(),
    "CudaSharedMemoryStatus": service_pb2.CudaSharedMemoryStatusRequest(),
    "CudaSharedMemoryRegister": service_pb2.CudaSharedMemoryRegisterRequest(name="x", raw_handle=b"x", byte_size=1),
    "CudaSharedMemoryUnregister": service_pb2.CudaSharedMemoryUnregisterRequest(),
    "TraceSetting": service_pb2.TraceSettingRequest(),
    "LogSettings": service_pb2.LogSettingsRequest(),
}
HTTP_FREE = ("/v2/health/live", "/v2/health/ready", "/v2", "/v2/models/tts")
HTTP_PROTECTED = (
    ("POST", "/v2/repository/index"),
    ("POST", "/v2/repository/models/aligner/load"),
    ("POST", "/v2/repository/models/aligner/unload"),
    ("GET", "/v2/models/tts/config"),
    ("GET", "/v2/models/tts/stats"),
    ("GET", "/v2/systemsharedmemory/status"),
    ("POST", "/v2/systemsharedmemory/region/x/register"),
    ("POST", "/v2/cudasharedmemory/region/x/register"),
    ("GET", "/v2/trace/setting"),
    ("POST", "/v2/logging"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What docs/security.md has its reader make: certificates, and a file of tokens."""
    made = tmp_path_factory.mktemp("secured")
    certificates.make(made / "certificates", ("speech.example",))
    (made / "token").write_text(TOKEN)
    (tokens,) = blocks(PAGE, "toml")
    (made / "tokens.toml").write_text(tokens)
    return made


@pytest.fixture(scope="module")
def secured(repository: Path, folder: Path) -> Iterator[TritonServer]:
    """As `serve --on-demand` starts it: its probe has the first voice loaded by the router."""
    names = ("server.crt", "server.key", "ca.crt", "client.crt", "client.key")
    security = Security(*(folder / "certificates" / name for name in names), folder / "token")
    options = ServerOptions(
        repository, security=security, load=models.shared(repository), log_file=folder / "triton.log"
    )
    server = TritonServer(options)
    try:
        yield server.__enter__()
    finally:
        server.kill()  # one that has lost a stage takes its time to end by itself


@pytest.fixture
def stranger(secured: TritonServer) -> ServerAddress:
    """The server as one asks it who may connect, and has no token."""
    return with_token(secured.address, "")


def with_token(address: ServerAddress, token: str) -> ServerAddress:
    return replace(address, access=replace(address.access, token=token))


def with_tls(address: ServerAddress, **changed: bytes | str | None) -> ServerAddress:
    assert address.access.tls is not None
    return replace(address, access=replace(address.access, tls=replace(address.access.tls, **changed)))


def refusal(address: ServerAddress, method: str, message: object) -> str:
    """What is said to a call, and that it is a refusal."""
    with connected(address) as stub, pytest.raises(grpc.RpcError) as caught:
        getattr(stub, method)(message, timeout=PATIENCE, metadata=address.access.metadata)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    return str(caught.value.details())


def documented(program: str, server: TritonServer, folder: Path) -> list[list[str]]:
    """The arguments of a program's commands on the page, for this server, these files and on loopback."""
    lines = [command.line for command in commands() if command.page == "docs/security.md"]
    here = {
        "speech.example:8001": server.address.grpc,
        "~/.local/state/tts-server/token": str(folder / "token"),
        "certificates/": f"{folder}/certificates/",
        "tokens.toml": str(folder / "tokens.toml"),
        "--host 0.0.0.0": "--host 127.0.0.1",
    }
    for written, meant in here.items():
        lines = [line.replace(written, meant) for line in lines]
    return [shlex.split(line.removeprefix(program)) for line in lines if line.startswith(program)]


# What is free, and what is not


def test_speech_health_and_metadata_are_there_without_the_token(stranger: ServerAddress) -> None:
    answer = frontdoor.ask(stranger, TEXT)
    assert (answer.status, answer.samples > 0) == ("", True)
    with connected(stranger) as stub:
        for method, message in FREE.items():
            getattr(stub, method)(message, timeout=PATIENCE)


@pytest.mark.parametrize("method", PROTECTED)
@pytest.mark.parametrize("token", ["", TOKEN[:-1], f"{TOKEN}0"])
def test_what_is_not_speech_is_refused_without_the_right_token(secured: TritonServer, token: str, method: str) -> None:
    told = refusal(with_token(secured.address, token), method, PROTECTED[method])
    assert told == "This protocol is restricted, expecting header 'triton-grpc-protocol-tts-token'"


def test_only_who_has_the_token_can_map_the_memory_of_the_models(
    secured: TritonServer, stranger: ServerAddress
) -> None:
    region = next(Path("/dev/shm").glob(f"{secured.shm_prefix}*"))
    message = service_pb2.SystemSharedMemoryRegisterRequest(name="stolen", key=f"/{region.name}", byte_size=64)
    assert "restricted" in refusal(stranger, "SystemSharedMemoryRegister", message)
    with connected(secured.address) as stub:
        metadata = secured.address.access.metadata
        stub.SystemSharedMemoryRegister(message, timeout=PATIENCE, metadata=metadata)
        known = stub.SystemSharedMemoryStatus(service_pb2.SystemSharedMemoryStatusRequest(), metadata=metadata)
        assert list(known.regions) == ["stolen"]
        stub.SystemSharedMemoryUnregister(service_pb2.SystemSharedMemoryUnregisterRequest(), metadata=metadata)


def test_the_http_endpoint_refuses_the_same(secured: TritonServer) -> None:
    with contextlib.closing(http.client.HTTPConnection(secured.address.http, timeout=PATIENCE)) as connection:

        def status(method: str, path: str, token: str) -> int:
            connection.request(method, path, body="{}" if method == "POST" else None, headers={"tts-token": token})
            response = connection.getresponse()
            told = response.read()
            assert response.status != 403 or "restricted" in json.loads(told)["error"]
            return response.status

        assert {status("GET", path, "") for path in HTTP_FREE} == {200}
        assert {status(*call, token) for call in HTTP_PROTECTED for token in ("", f"{TOKEN}0")} == {403}
        assert status("POST", "/v2/repository/index", TOKEN) == 200


# Who may connect, and who listens


@pytest.mark.parametrize("shown", ["nothing", "of another CA"])
def test_a_client_without_a_certificate_of_the_ca_is_refused(secured: TritonServer, shown: str) -> None:
    leaf = trustme.CA().issue_cert("client")
    certificate, key = leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()
    pair = {"certificate": None, "key": None} if shown == "nothing" else {"certificate": certificate, "key": key}
    with pytest.raises(ControlError, match="failed to connect"):
        Control(with_tls(secured.address, **pair)).models()


def test_a_client_that_does_not_speak_tls_is_refused(secured: TritonServer) -> None:
    plain = replace(secured.address, access=replace(secured.address.access, tls=None))
    answer = frontdoor.ask(plain, TEXT)
    assert (answer.status, answer.by_server) == ("UNAVAILABLE", False)


@pytest.mark.parametrize("trusted", ["another CA", "another name"])
def test_a_client_that_expects_another_server_says_nothing_to_this_one(secured: TritonServer, trusted: str) -> None:
    other = trustme.CA().cert_pem.bytes()
    expected = {"trusted": other} if trusted == "another CA" else {"name": "another.example"}
    with tap(secured.address.grpc_port) as (port, heard), pytest.raises(ControlError, match="failed to connect"):
        Control(replace(with_tls(secured.address, **expected), grpc_port=port)).models()
    assert TOKEN.encode() not in b"".join(heard)


def test_who_listens_on_the_wire_reads_text_and_token_without_tls_and_neither_with_it(
    secured: TritonServer, service: TritonServer
) -> None:
    def heard(address: ServerAddress) -> bytes:
        with tap(address.grpc_port) as (port, parts):
            tapped = replace(address, grpc_port=port)
            assert frontdoor.ask(tapped, TEXT).samples
            Control(tapped).models()
        return b"".join(parts)

    open_ = heard(with_token(service.address, TOKEN))
    assert TEXT.encode() in open_
    assert TOKEN.encode() in open_
    encrypted = heard(secured.address)
    assert len(encrypted) > 10_000
    assert TEXT.encode() not in encrypted
    assert TOKEN.encode() not in encrypted


@contextmanager
def tap(port: int) -> Iterator[tuple[int, list[bytes]]]:
    """A port that passes connections on to another one, and what goes through them."""
    heard: list[bytes] = []
    ends: list[socket.socket] = []

    def pass_on(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(1 << 16):
                heard.append(part)
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near = listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", port))
                ends.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pass_on, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for end in ends:
                end.close()


def test_the_token_is_in_no_command_line_and_in_no_log(secured: TritonServer) -> None:
    assert secured.token_masked
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            assert TOKEN.encode() not in (process / "cmdline").read_bytes(), process
    assert TOKEN not in secured.log_text()


def test_the_gateway_passes_none_of_its_clients_headers_on(service: TritonServer) -> None:
    asked = {"model": "tts-1", "input": TEXT, "voice": "demo", "response_format": "wav"}
    with tap(service.address.grpc_port) as (port, heard):
        with running("--server", f"127.0.0.1:{port}") as gateway:
            headers = {"triton_grpc_error": "true", "triton-grpc-protocol-tts-token": TOKEN, "x-of-the-client": "1"}
            answer = httpx.post(f"{gateway.url}/v1/audio/speech", json=asked, headers=headers, timeout=PATIENCE)
            assert answer.status_code == 200
        passed = b"".join(heard)
    assert TEXT.encode() in passed
    assert not any(header.encode() in passed for header in (*headers, TOKEN))


# What our own parts do behind it


def test_the_commands_of_the_documentation_speak_and_list(
    secured: TritonServer, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    speak, list_ = documented("python -m client ", secured, folder)
    assert client.main(speak) == 0
    assert (folder / "hello.wav").stat().st_size > 10_000
    capsys.readouterr()
    assert client.main(list_) == 0
    assert "demo" in capsys.readouterr().out
    tokenless = list_[: list_.index("--token-file")]
    assert client.main(tokenless) != 0
    assert "--token-file" in capsys.readouterr().err


def test_the_gateway_of_the_documentation_speaks_by_https_to_who_has_a_token(
    secured: TritonServer, folder: Path
) -> None:
    (arguments,) = documented("scripts/gateway ", secured, folder)
    trusted = ssl.create_default_context(cafile=folder / "certificates" / "ca.crt")
    with running(*arguments) as gateway, httpx.Client(base_url=gateway.url, verify=trusted) as caller:
        assert gateway.url.startswith("https://")
        asked = {"model": "tts-1", "input": "你好。", "voice": "demo", "response_format": "wav"}
        assert caller.post("/v1/audio/speech", json=asked).status_code == 401
        held = {"authorization": "Bearer replace-this-by-a-long-random-word"}
        answer = caller.post("/v1/audio/speech", json=asked, headers=held)
        assert (answer.status_code, answer.content[:4]) == (200, b"RIFF")
        voices = caller.get("/v1/audio/voices", headers=held).json()["voices"]
        assert [voice["name"] for voice in voices] == ["demo"]


def test_the_router_loads_a_voice_on_demand_with_the_token(secured: TritonServer) -> None:
    assert "demo" not in secured.options.load
    assert Control(secured.address).models()["demo"].ready
    with urllib.request.urlopen(f"http://{secured.address.metrics}/metrics", timeout=PATIENCE) as page:
        assert 'tts_voice_loads_total{voice="demo"} 1' in page.read().decode()


def test_the_watch_has_a_killed_stage_brought_back(secured: TritonServer) -> None:
    said: list[str] = []
    watch = Watch(secured, said.append)
    killed = next(stub for stub in stubs.living(secured.pid or 0).values() if stub.model == "demo_decoder")
    os.kill(killed.pid, signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    while not said and time.monotonic() < end:
        watch.tick()
        time.sleep(0.05)
    assert said[0].startswith("the process of demo_decoder is gone: ")
    assert "reloaded it in" in said[0]
    assert frontdoor.ask(secured.address, "我回来了。").samples
