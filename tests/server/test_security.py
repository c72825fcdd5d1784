"""Where a server listens, and the token that protects it: the command line that comes of them."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server import cli, hosts, masking, security, state, tokens
from server.errors import BadRequest
from server.find import Installation
from server.options import ServerAddress, ServerOptions, command_line, process_environment
from server.ports import Ports
from server.security import Access, Security

TOKEN = "a-token-of-the-tests-0123456789"


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return state.folder()


def token_file(folder: Path, content: str = TOKEN) -> Path:
    file = folder / "token.txt"
    file.write_text(content)
    return file


def command(options: ServerOptions) -> list[str]:
    access = security.prepare(options.security, options.host)
    return command_line(options, Installation(Path("tritonserver")), None, Ports(1, 2, 3), None, "me", access)


@pytest.mark.parametrize(
    ("host", "asked", "alone"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.8.9.1", "127.8.9.1", True),
        ("localhost", "127.0.0.1", True),
        ("::1", "::1", True),
        ("0.0.0.0", "127.0.0.1", False),
        ("::", "::1", False),
        ("192.0.2.7", "192.0.2.7", False),
    ],
)
def test_a_host_is_loopback_or_not_and_is_asked_from_here(host: str, asked: str, alone: bool) -> None:
    assert (hosts.reachable(host), hosts.is_loopback(host)) == (asked, alone)


def test_http_stays_on_loopback_wherever_grpc_and_the_metrics_listen(tmp_path: Path) -> None:
    arguments = command(ServerOptions(tmp_path, host="192.0.2.7", metrics_host="::"))
    assert {"--grpc-address=192.0.2.7", "--http-address=127.0.0.1", "--metrics-address=ipv6:::"} <= set(arguments)
    assert "--grpc-address=[::1]" in command(ServerOptions(tmp_path, host="::1"))
    assert ServerAddress("::1", 1, 2, 3, "::1").grpc == "[::1]:1"


def test_a_name_to_listen_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r'"speech\.example" is no IP address to listen on: give one of this machine'):
        command(ServerOptions(tmp_path, host="speech.example"))


def restricted(arguments: list[str]) -> list[str]:
    return [argument for argument in arguments if "restricted" in argument]


def test_beyond_loopback_all_but_speech_is_protected_by_a_token_that_is_made_once(
    tmp_path: Path, state_folder: Path
) -> None:
    first = restricted(command(ServerOptions(tmp_path, host="0.0.0.0")))
    token = (state_folder / "token").read_text().strip()
    rule = f"model-repository,model-config,shared-memory,statistics,trace,logging:tts-token={token}"
    assert first == [f"--grpc-restricted-protocol={rule}", f"--http-restricted-api={rule}"]
    assert len(token) >= 32
    assert restricted(command(ServerOptions(tmp_path, host="192.0.2.7"))) == first
    assert stat.S_IMODE((state_folder / "token").stat().st_mode) == 0o600
    assert [file.name for file in state_folder.iterdir()] == ["token"]


def test_on_loopback_nothing_is_protected_until_a_token_is_given(tmp_path: Path, state_folder: Path) -> None:
    assert restricted(command(ServerOptions(tmp_path))) == []
    assert not state_folder.exists()
    given = Security(token_file=token_file(tmp_path, f"{TOKEN}\n"))
    protected = restricted(command(ServerOptions(tmp_path, security=given)))
    assert len(protected) == 2
    assert all(argument.endswith(f":tts-token={TOKEN}") for argument in protected)


def test_two_servers_that_start_at_once_have_one_token(state_folder: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: tokens.read_or_make(state_folder / "token"), range(32)))
    assert len(found) == 1


@pytest.mark.parametrize("content", ["", "short", "with spaces in between them", "two\nlines of sixteen", "密" * 20])
def test_a_file_without_a_token_is_told(tmp_path: Path, content: str) -> None:
    with pytest.raises(BadRequest, match=r"token\.txt must hold one line of 16 to 512 letters, digits and signs"):
        tokens.read(token_file(tmp_path, content))


def test_a_token_file_that_cannot_be_read_or_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="nowhere cannot be read: No such file"):
        tokens.read(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(BadRequest, match=r"no token can be kept in .*: name a file that holds one with --token-file"):
        tokens.read_or_make(tmp_path / "file" / "token")


def test_a_token_of_our_own_that_others_may_read_is_refused(state_folder: Path) -> None:
    tokens.read_or_make(state_folder / "token")
    (state_folder / "token").chmod(0o644)
    with pytest.raises(BadRequest, match="is open to others: delete it, the next start makes a new one"):
        tokens.read_or_make(state_folder / "token")


def test_the_router_is_told_the_file_and_never_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_TOKEN_FILE", "/of/another/server")
    options = ServerOptions(tmp_path, security=Security(token_file=token_file(tmp_path)))
    access = security.prepare(options.security, options.host)
    variables = process_environment(options, None, Ports(1, 2, 3), access)
    assert variables["TTS_TOKEN_FILE"] == str(tmp_path / "token.txt")
    assert not any(TOKEN in value for value in variables.values())
    assert TOKEN not in repr(access)
    assert "TTS_TOKEN_FILE" not in process_environment(options, None, Ports(1, 2, 3), Access())


def test_a_start_tells_the_tokens_file_and_that_speech_is_not_encrypted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ServerOptions(tmp_path, host="192.0.2.7")
    access = security.prepare(options.security, options.host)
    cli._tell_protection(options, access)
    said = capsys.readouterr()
    assert said.out.startswith(f"protected by the token in {access.token_file}: model-repository, ")
    assert said.err == "warning: speech on 192.0.2.7 is not encrypted: --certificate and --key do that\n"
    assert access.token not in said.out + said.err
    cli._tell_protection(ServerOptions(tmp_path), Access())
    assert capsys.readouterr() == ("", "")


def test_a_secret_is_taken_out_of_the_command_line_of_a_running_process() -> None:
    script = f"import time, sys; held = sys.argv[1]; print(held, flush=True); time.sleep(60); '{TOKEN}'"
    with subprocess.Popen([sys.executable, "-S", "-c", script, f"a={TOKEN}"], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            assert masking.mask(process.pid, TOKEN)
            shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            assert TOKEN.encode() not in shown
            assert shown.endswith(b"\0a=" + b"*" * len(TOKEN) + b"\0")
        finally:
            process.kill()


def test_where_memory_cannot_be_written_that_is_said() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not masking.mask(process.pid, TOKEN)
