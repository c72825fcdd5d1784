"""Whatever comes, the gateway answers with a typed error and goes on, and its memory stays as it was."""

from __future__ import annotations

import json
import socket
import threading

import httpx
import pytest
from gateway.raw import request, talk

MEMORY = 24 << 20
"""What a gateway may grow by meanwhile: far less than what is thrown at it."""

SPEECH = "/v1/audio/speech"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def plain(gateway):
    with httpx.Client(base_url=gateway.url, timeout=60) as made:
        yield made


@pytest.fixture
def flat(gateway):
    """Fails when the gateway's memory grew, or it does not answer any more."""
    before = gateway.process.memory_info().rss
    yield
    assert gateway.process.memory_info().rss - before < MEMORY
    assert httpx.get(f"{gateway.url}/v1/models").status_code == 200


def error_of(answer, status):
    """The error of an answer, which must have OpenAI's shape and this status."""
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "\n" not in error["message"]
    return error


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input", 5),
        ("input", ["好"]),
        ("input", None),
        ("input", ""),
        ("input", "  \n"),
        ("voice", 7),
        ("voice", {"name": "demo"}),
        ("response_format", "ogg"),
        ("response_format", ["mp3"]),
        ("stream_format", "lines"),
        ("stream", "yes"),
        ("speed", "fast"),
        ("speed", 0.1),
        ("speed", 10**400),
        ("pitch", -13),
        ("energy", True),
        ("seed", 1.5),
        ("seed", 2**31),
        ("style", "慢" * 501),
        ("attributes", {"age": 8}),
        ("dictionary", ["重庆"]),
        ("quality", "best"),
    ],
)
def test_a_field_of_a_wrong_kind_is_named(plain, field, value):
    body = {"input": "好", field: value}
    assert error_of(plain.post(SPEECH, content=json.dumps(body), headers=JSON), 400)["param"].startswith(field)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b'{"input": "\xff\xfe"}',
        b'{"input": "\\ud800"}',
        b'{"input": "\xe5\xa5\xbd", "speed": NaN}',
        b'{"input": "\xe5\xa5\xbd", "speed": 1e999}',
        b'{"input": "\xe5\xa5\xbd", "seed": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_no_object_of_json_is_refused(plain, body):
    error_of(plain.post(SPEECH, content=body, headers=JSON), 400)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_of_another_type_is_refused_by_its_type(plain, kind):
    assert error_of(plain.post(SPEECH, content=b'{"input": "x"}', headers={"content-type": kind}), 415)


def test_what_is_not_there_is_told_in_the_same_shape(plain):
    assert error_of(plain.get("/v1/audio/nothing"), 404)["code"] == "unknown_url"
    wrong = plain.delete(SPEECH)
    assert error_of(wrong, 405)["code"] == "method_not_allowed"
    assert wrong.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/page/../settings.py",
        "/page/..%2f..%2fsettings.py",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/page//etc/passwd",
        "/page/%00",
        "/page/\\..\\settings.py",
        "/v1/audio/../models",
        "/" + "a" * 20_000,
        "http://elsewhere.example/v1/models",
    ],
    ids=lambda path: path[:24],
)
def test_paths_lead_nowhere(gateway, path):
    assert error_of(request(gateway, f"GET {path} HTTP/1.1"), 404)["code"] == "unknown_url"


def test_a_text_that_is_too_long_is_refused(plain):
    error = error_of(plain.post(SPEECH, json={"input": "好" * 60_001}), 400)
    assert (error["param"], error["code"]) == ("input", "string_above_max_length")


@pytest.mark.usefixtures("flat")
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_of_50_mb_is_refused_and_not_kept(plain, chunked):
    def much():
        for _ in range(800):
            yield b"x" * (1 << 16)

    headers = JSON if chunked else {**JSON, "content-length": str(800 << 16)}
    answer = plain.post(SPEECH, content=much(), headers=headers)
    assert error_of(answer, 413)["code"] == "body_too_large"
    assert answer.headers["connection"] == "close"


def test_who_asks_before_he_sends_too_much_is_told_not_to(gateway):
    answer = request(gateway, f"POST {SPEECH} HTTP/1.1", "Content-Length: 52428800", "Expect: 100-continue")
    error_of(answer, 413)


@pytest.mark.usefixtures("flat")
def test_a_flood_of_headers_is_refused(gateway):
    def flood(connection):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n")
        for number in range(100_000):
            connection.sendall(b"X-%d: %s\r\n" % (number, b"a" * 40))

    assert error_of(talk(gateway, flood), 431)["code"] == "headers_too_large"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["TLS", "HTTP/0.9", "a negative length"],
)
def test_what_is_not_http_is_refused(gateway, sent):
    assert error_of(talk(gateway, sent), 400)["code"] == "not_http"


@pytest.mark.usefixtures("flat")
def test_200_connections_at_once_are_answered_or_refused(gateway):
    body = json.dumps({"input": "今天天气真好。", "response_format": "pcm"}).encode()
    start = threading.Barrier(200)
    answers = []

    def ask():
        start.wait()
        answers.append(request(gateway, f"POST {SPEECH} HTTP/1.1", f"Content-Length: {len(body)}", body=body))

    threads = [threading.Thread(target=ask) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = [answer.status_code for answer in answers]
    assert len(statuses) == 200
    assert set(statuses) <= {200, 429, 503}
    assert statuses.count(200) >= 8  # what the server speaks at once; others wait, and the rest comes too many
    assert 429 in statuses
    for answer in answers:
        if answer.status_code != 200:
            assert error_of(answer, answer.status_code)["code"] in ("overloaded", "busy")
            assert int(answer.headers["retry-after"]) >= 1


def test_a_client_that_leaves_in_the_middle_of_its_request_is_forgotten(gateway, plain):
    for sent in (b"", b"POST", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"):
        with socket.create_connection(gateway.address) as connection:
            connection.sendall(sent)
    assert plain.get("/v1/models").status_code == 200
