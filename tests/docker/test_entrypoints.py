"""What the containers run, run without containers: the images' own command lines and variables, on free ports."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from server_commands import DOCKER, ROOT
from typer.main import get_command

PATIENCE = 120.0
TOKEN = "a-token-for-the-tests"


def words(dockerfile: str, stage: str, *instructions: str) -> list[str]:
    """What a stage's instructions in JSON say, for the Python of the tests."""
    text = (DOCKER / dockerfile).read_text(encoding="utf-8").rpartition(stage)[2].replace("\\\n", " ")
    found = [json.loads(re.search(rf"^{name}.*?(\[.*\])$", text, re.MULTILINE)[1]) for name in instructions]
    python, *rest = [word for part in found for word in part]
    assert python == "python3"
    return [sys.executable, *rest]


def variables(dockerfile: str) -> dict[str, str]:
    """What an image sets, but for the memory allocator, which is not on every machine, and folders of the container."""
    text = (DOCKER / dockerfile).read_text(encoding="utf-8").replace("\\\n", " ")
    pairs = [pair.split("=", 1) for line in re.findall(r"^ENV (.*)$", text, re.MULTILINE) for pair in line.split()]
    folders = ("/models", "/var/lib", "/tmp", "/usr", "/opt", "${")
    return {name: value for name, value in pairs if not value.startswith(folders) and name != "MALLOC_CONF"}


@dataclass(frozen=True)
class Running:
    """A process of a container, and the first line that says where it listens."""

    process: subprocess.Popen[str]
    ready: str
    environment: Mapping[str, str]


@contextlib.contextmanager
def running(command: list[str], environment: Mapping[str, str], ready: str) -> Iterator[Running]:
    """A container's process, until the block ends; then it has to stop by SIGTERM, and well."""
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    overdue = threading.Timer(PATIENCE, process.kill)
    overdue.start()
    try:
        line = next((line for line in process.stdout if ready in line), "")
        overdue.cancel()
        assert line, f"{command} ended with {process.wait()}"
        yield Running(process, line, environment)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        overdue.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def server(repository, tmp_path_factory) -> Iterator[Running]:
    """The server's image as Compose starts it, on ports of its own choosing."""
    folder = tmp_path_factory.mktemp("container")
    token = folder / "token"
    token.write_text(TOKEN)
    environment = {
        **variables("Dockerfile"),
        **{f"TTS_{name}_PORT": "0" for name in ("GRPC", "HTTP", "METRICS")},
        "TTS_PROFILE": "cpu",
        "TTS_REPOSITORY": str(repository),
        "TTS_TOKEN_FILE": str(token),
        "TTS_HEALTH_TOKEN_FILE": str(token),
        "XDG_STATE_HOME": str(folder),
    }
    command = words("Dockerfile", "FROM", "ENTRYPOINT", "CMD")
    # Its HEALTHCHECK comes before, and has a CMD of its own.
    assert command[1:] == ["-m", "server", "serve"]
    with running(command, environment, "ready after") as started:
        yield started


def address(server: Running, name: str) -> str:
    host, port = re.search(rf"{name} (\S+):(\d+)", server.ready).groups()
    assert host == "0.0.0.0"
    return f"127.0.0.1:{port}"


def test_the_servers_health_check_is_well_with_the_token_and_not_without(server):
    check = words("Dockerfile", "FROM", "HEALTHCHECK")
    environment = {**os.environ, **server.environment, "TTS_HEALTH_SERVER": address(server, "grpc")}
    well = subprocess.run(check, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (well.returncode, well.stderr) == (0, "")
    assert re.search(r"^demo +yes", well.stdout, re.MULTILINE)
    del environment["TTS_HEALTH_TOKEN_FILE"]
    refused = subprocess.run(check, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "--token-file" in refused.stderr


def test_the_gateways_image_speaks_through_the_servers(server):
    environment = {
        **variables("slim.Dockerfile"),
        "TTS_GATEWAY_HOST": "0.0.0.0",
        "TTS_GATEWAY_PORT": "0",
        "TTS_GATEWAY_SERVER": address(server, "grpc"),
        "TTS_GATEWAY_METRICS_SERVER": address(server, "metrics"),
        "TTS_GATEWAY_TOKEN_FILE": server.environment["TTS_TOKEN_FILE"],
    }
    command = words("slim.Dockerfile", "AS gateway\n", "ENTRYPOINT")
    with running(command, environment, "gateway ready") as gateway:
        url = re.search(r"http://\S+", gateway.ready)[0].replace("0.0.0.0", "127.0.0.1")
        asked = urllib.request.Request(
            f"{url}/v1/audio/speech",
            json.dumps({"input": "你好。", "voice": "demo", "response_format": "wav"}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            assert len(answer.read()) > 20_000
        # What the image's health check and Kubernetes' probes ask.
        assert "/health/live" in " ".join(words("slim.Dockerfile", "AS gateway\n", "HEALTHCHECK"))
        with urllib.request.urlopen(f"{url}/health/live", timeout=PATIENCE) as answer:
            assert answer.status == 200


# Notes what it is asked: exporting a voice takes a minute.
PYTHON = """#!/usr/bin/env bash
echo "$@" >> "$(dirname "$0")/asked"
"""


def export_voices(folder: Path, voices: str) -> subprocess.CompletedProcess[str]:
    """The entrypoint of the exporter's image."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "python3").write_text(PYTHON)
    (tools / "python3").chmod(0o755)
    own = {name: str(folder / name.lower()) for name in ("MODELS", "CHECKPOINTS")}
    environment = {
        **os.environ,
        "TTS_REPOSITORY": own["MODELS"],
        "TTS_CHECKPOINTS": own["CHECKPOINTS"],
        "TTS_VOICES": voices,
        "PATH": f"{tools}:{os.environ['PATH']}",
    }
    return subprocess.run([DOCKER / "export-voices"], env=environment, capture_output=True, text=True, check=False)


def test_the_exporters_image_asks_for_the_shared_models_and_then_for_voices_by_commands_that_there_are(tmp_path):
    from export.cli import app  # brings PyTorch, so only where it is needed

    (tmp_path / "checkpoints" / "zhitian").mkdir(parents=True)
    result = export_voices(tmp_path, "demo:fastspeech2 zhitian:sambert")
    assert (result.returncode, result.stderr) == (0, "")
    asked = [line.split() for line in (tmp_path / "tools" / "asked").read_text().splitlines()]
    assert [words[:3] for words in asked] == [["-m", "export", name] for name in ("shared", "fetch", "voice", "voice")]
    commands = get_command(app).commands
    shared, fetch, demo, other = [commands[name].make_context(name, rest).params for _, _, name, *rest in asked]
    assert {options["repository"] for options in (shared, demo, other)} == {tmp_path / "models"}
    assert fetch["checkpoint"] == demo["checkpoint"] == tmp_path / "checkpoints" / "demo"
    assert other["checkpoint"] == tmp_path / "checkpoints" / "zhitian"
    assert [(options["family"].value, options["name"]) for options in (demo, other)] == [
        ("fastspeech2", "demo"),
        ("sambert", "zhitian"),
    ]


@pytest.mark.parametrize(
    ("voices", "line"),
    [
        ("lily", "error: 'lily' is not NAME:FAMILY, demo:fastspeech2 for example\n"),
        ("demo:fastspeech2 lily:sambert", "error: {}/lily does not exist: it has to hold the checkpoint of lily\n"),
    ],
)
def test_wrong_voices_are_one_line_before_anything_is_written(voices, line, tmp_path):
    result = export_voices(tmp_path, voices)
    assert (result.returncode, result.stderr) == (2, line.format(tmp_path / "checkpoints"))
    assert not (tmp_path / "tools" / "asked").exists()
