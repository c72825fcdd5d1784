"""A server that is away or late, and a gateway that cannot start."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import subprocess
import sys

import httpx
import pytest
import trustme
from gateway.process import ROOT, running

from client import Connection
from server.cli import run
from server.gateway.app import create_app
from server.gateway.settings import GatewaySettings

SPEECH = "/v1/audio/speech"


def ask(settings, path, **body):
    """The answer of an application without a process of its own."""

    async def asked():
        app = create_app(settings)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://x") as client,
        ):
            return await (client.post(path, json=body) if body else client.get(path))

    return asyncio.run(asked())


@pytest.mark.parametrize(("path", "body"), [(SPEECH, {"input": "好"}), ("/v1/audio/voices", {})])
def test_a_server_that_is_away_is_unavailable_for_a_moment(path, body):
    with socket.socket() as held:  # bound, so that nobody takes it, and without a listener
        held.bind(("127.0.0.1", 0))
        answer = ask(GatewaySettings(connection=Connection(f"127.0.0.1:{held.getsockname()[1]}")), path, **body)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == "server_unavailable"


def test_an_answer_that_takes_too_long_is_a_gateway_timeout(service):
    answer = ask(GatewaySettings(connection=Connection(service.address.grpc), timeout=0.001), SPEECH, input="好")
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "deadline_exceeded"


def test_https_is_served_with_a_certificate(tmp_path, service):
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    file = str(tmp_path / "server.pem")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with running("--server", service.address.grpc, "--certificate", file, "--key", file) as secured:
        assert secured.url.startswith("https://")
        with httpx.Client(base_url=secured.url, verify=trusting) as client:
            answer = client.post(SPEECH, json={"input": "好", "response_format": "wav"})
            assert answer.content.startswith(b"RIFF")
            with pytest.raises(httpx.HTTPError):
                httpx.get(secured.url.replace("https", "http") + "/docs")
            assert client.get("/docs").status_code == 200


def test_who_opens_the_gateway_to_strangers_is_warned_and_a_signal_lets_answers_end(service):
    with running("--server", service.address.grpc, "--host", "0.0.0.0") as opened:
        said = " ".join(opened.lines)
        url = opened.url.replace("0.0.0.0", "127.0.0.1") + SPEECH
        body = {"input": "今天天气真好，我们去公园散步吧。" * 20, "response_format": "pcm"}
        with httpx.stream("POST", url, json=body, timeout=60) as answer:
            parts = answer.iter_bytes()
            next(parts)
            opened.process.send_signal(signal.SIGTERM)
            rest = sum(map(len, parts))  # an answer that is cut raises
        assert rest > 0
        assert opened.process.wait(60) in (0, None)
    assert "--tokens says who may" in said
    assert "is not encrypted" in said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--certificate", "here.pem"), "--certificate and --key go together"),
        (("--certificate", "none.pem", "--key", "none.pem"), "cannot use none.pem with none.pem: No such file"),
        (("--server", "nowhere"), "server"),
        (("--host", "300.300.300.300"), "cannot listen on 300.300.300.300"),
        (("--timeout", "0"), "timeout"),
        (("--ca", "none.pem"), "none.pem"),
        (("--port", "70000"), "'--port'"),
    ],
)
def test_a_gateway_that_cannot_start_says_why_in_one_line(capsys, arguments, reason):
    assert run(["gateway", *arguments]) == 2
    said = capsys.readouterr().err
    assert reason in said
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_a_port_that_is_taken_is_told(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["gateway", "--port", str(taken.getsockname()[1])]) == 2
    assert "Address already in use" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "av"])
def test_without_the_packages_of_the_gateway_the_command_says_which_extra_has_them(missing):
    code = f"import sys; sys.modules['{missing}'] = None; from server.cli import run; sys.exit(run(['gateway']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: {missing} is missing: pip install 'sculptor-triton[gateway]'\n"
