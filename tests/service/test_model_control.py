"""The front door's orders to the server's HTTP endpoint."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from http_control import HttpControl, read_token
from model_control import ControlError, NotManaged


class Endpoint(ThreadingHTTPServer):
    """Answers every order with `status` and `answer`, and notes what was asked, and how much of it at once."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.answer = 200, b""
        self.silent: set[str] = set()  # models whose orders get no answer until the endpoint is closed
        self.closing = threading.Event()
        self.paths: list[str] = []
        self.tokens: list[str | None] = []
        self.running = self.most = 0
        self.lock = threading.Lock()

    @property
    def address(self):
        return f"127.0.0.1:{self.server_port}"

    def refuse(self, reason):
        self.status, self.answer = 400, json.dumps({"error": reason}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self):
        with self.server.lock:
            self.server.paths.append(self.path)
            self.server.tokens.append(self.headers["tts-token"])
            self.server.running += 1
            self.server.most = max(self.server.most, self.server.running)
        if self.path.split("/")[4] in self.server.silent:
            self.server.closing.wait(10)
            return
        time.sleep(0.01)
        with self.server.lock:
            self.server.running -= 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, format, *arguments):
        pass


@pytest.fixture
def endpoint():
    with Endpoint() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.closing.set()
        made.shutdown()
        thread.join()


@pytest.fixture
def control(endpoint):
    return HttpControl(endpoint.address, {"anna"}.__contains__)


def test_an_order_names_its_model(control, endpoint):
    control.load("anna")
    control.unload("anna/2 b")
    assert endpoint.paths == ["/v2/repository/models/anna/load", "/v2/repository/models/anna%2F2%20b/unload"]
    assert [control.ready(model) for model in ("anna", "bert")] == [True, False]


def test_there_is_one_order_at_a_time(control, endpoint):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(control.load, "abcdefgh"))
    assert sorted(path.split("/")[4] for path in endpoint.paths) == list("abcdefgh")
    assert endpoint.most == 1


def test_the_reason_is_one_line_without_a_traceback(control, endpoint):
    endpoint.refuse("failed to load 'anna':\nit is corrupt\n\nAt:\n  /models/model.py(36): initialize\n")
    with pytest.raises(ControlError, match=r"^failed to load 'anna': it is corrupt$"):
        control.load("anna")


@pytest.mark.parametrize(
    ("body", "reason"), [(b"", "no reason given"), (b"[1]", r"\[1\]"), (b"out of\n memory", "out of memory")]
)
def test_an_answer_that_is_no_json_is_the_reason_itself(control, endpoint, body, reason):
    endpoint.status, endpoint.answer = 500, body
    with pytest.raises(ControlError, match=f"^{reason}$"):
        control.unload("anna")


def test_a_server_that_loads_nothing_on_demand_says_so(control, endpoint):
    endpoint.refuse("explicit model load / unload is not allowed if polling is enabled")
    with pytest.raises(NotManaged):
        control.load("anna")


def test_an_order_to_a_protected_server_carries_its_token(control, endpoint, tmp_path):
    (tmp_path / "token").write_text("a secret\n")
    token = read_token({"TTS_TOKEN_FILE": str(tmp_path / "token")})
    HttpControl(endpoint.address, {"anna"}.__contains__, token).load("anna")
    control.load("anna")
    assert endpoint.tokens == ["a secret", None]
    assert read_token({}) == ""


def test_a_token_that_the_server_does_not_take_is_told_with_where_it_comes_from(control, endpoint):
    endpoint.status, endpoint.answer = 403, b'{"error": "This API is restricted"}'
    with pytest.raises(ControlError, match=r"another token to load models than TTS_TOKEN_FILE gives: This API is"):
        control.load("anna")


def test_an_endpoint_that_is_gone_is_named(control, endpoint):
    endpoint.server_close()
    endpoint.shutdown()
    with pytest.raises(ControlError, match=rf"{endpoint.address} does not answer \(TTS_MODEL_CONTROL names it\): "):
        control.load("anna")


def test_an_order_that_does_not_end_is_given_up_and_hinders_no_other(endpoint):
    endpoint.silent = {"anna"}
    control = HttpControl(endpoint.address, {"anna"}.__contains__, seconds=1.0)
    with pytest.raises(ControlError, match=r"^the server did not load anna within 1 s$"):
        control.load("anna")
    control.load("bert")
    assert [path.split("/")[4] for path in endpoint.paths] == ["anna", "bert"]
