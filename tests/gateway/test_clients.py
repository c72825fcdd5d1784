"""Clients that leave, are slow, or are many."""

from __future__ import annotations

import contextlib
import json
import socket
import time

import httpx
from gateway.raw import answer_of, received, request
from service.own_server import eventually

SPEECH = "/v1/audio/speech"
BOOK = "今天天气真好，我们去公园散步吧。" * 200
BEARER = "Authorization: Bearer open-sesame"


def metric(service, *beginnings):
    """The sum of the server's metrics that begin so."""
    lines = httpx.get(f"http://{service.address.metrics}/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(beginnings))


def cancelled(service):
    """Requests that the server has ended because their client went, running or waiting."""
    return metric(service, 'tts_requests_total{outcome="cancelled"', 'tts_refused_total{reason="cancelled"')


def under_way(service):
    return metric(service, "tts_in_flight ", "tts_waiting ")


def ask(gateway, text, *headers, form="wav"):
    """A connection on which a speech was asked for, and nothing read."""
    body = json.dumps({"input": text, "response_format": form}).encode()
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    connection.settimeout(60)
    connection.connect(gateway.address)
    lines = [f"POST {SPEECH} HTTP/1.1", "Host: here", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    connection.sendall("\r\n".join([*lines, *headers, "", ""]).encode() + body)
    return connection


def test_a_client_that_leaves_cancels_its_speech_on_the_server(gateway, service):
    before = cancelled(service)
    with ask(gateway, BOOK) as connection:
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    eventually(lambda: cancelled(service) == before + 1, "the server has ended the request")


def test_a_client_that_leaves_before_the_first_audio_does_so_too(gateway, service):
    before = cancelled(service)
    with ask(gateway, BOOK):
        eventually(lambda: under_way(service) > 0, "the request is under way")
    eventually(lambda: cancelled(service) == before + 1, "the server has ended the request")


def test_a_reader_that_takes_nothing_is_cut_off(strict, service):
    before = cancelled(service)
    with ask(strict, BOOK, BEARER) as connection:
        eventually(lambda: cancelled(service) == before + 1, "the server has ended the request")
        assert not received(connection).endswith(b"0\r\n\r\n"), "the client sees that something is missing"


def test_a_reader_that_is_only_slow_gets_everything(strict):
    with ask(strict, BOOK[:96], BEARER, "Connection: close", form="pcm") as connection:
        data = b""
        while part := connection.recv(1 << 17):
            data += part
            time.sleep(0.05)
    assert data.endswith(b"0\r\n\r\n")


def test_slow_requests_end_with_a_typed_error(strict):
    complete = b"GET /health/live HTTP/1.1\r\nHost: here\r\n\r\n"
    with contextlib.ExitStack() as stack:
        head, later, body = (
            stack.enter_context(socket.create_connection(strict.address, timeout=60)) for _ in range(3)
        )
        head.sendall(b"GET /docs HTTP/1.1\r\nHost")
        later.sendall(complete)
        answered = b""
        while not answered.endswith(b"}"):
            answered += later.recv(1 << 16)
        later.sendall(complete[:20])
        body.sendall(b"POST /docs HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{")
        for connection, code in ((head, "too_slow"), (later, "too_slow"), (body, "body_too_slow")):
            answer = answer_of(received(connection))
            assert answer.status_code == 408
            assert answer.json()["error"]["code"] == code


def test_connections_beyond_the_bound_are_refused_until_others_end(strict):
    def tried():
        return request(strict, "GET /docs HTTP/1.1")

    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(strict.address))
        refused = tried()
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["code"] == "busy"
    eventually(lambda: tried().status_code == 200, "there is room again")
