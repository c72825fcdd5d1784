"""Tokens: who may ask, and how much."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from server.cli import run
from server.errors import BadRequest
from server.gateway.access import read_tokens
from server.gateway.budget import Allowance, Bucket, Budget
from server.gateway.errors import GatewayError

SPEECH = "/v1/audio/speech"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def free(strict):
    """A client without a token."""
    with httpx.Client(base_url=strict.url, timeout=60) as made:
        yield made


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def test_what_is_under_v1_needs_a_token(free):
    for method, path in (("POST", SPEECH), ("GET", "/v1/models"), ("GET", "/v1/nothing"), ("GET", "/v1/audio/voices")):
        answer = free.request(method, path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "invalid_api_key"


def test_pages_and_health_need_none(free):
    for path in ("/", "/docs", "/openapi.json", "/health/live", "/metrics"):
        assert free.get(path).status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer wrong", "Basic b3BlbjpzZXNhbWU=", "open-sesame", "Bearer é"])
def test_a_wrong_token_is_refused(free, header):
    answer = free.get("/v1/models", headers={"authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert "wrong" not in answer.text


def test_a_token_by_secret_or_by_hash_is_taken(free):
    assert free.get("/v1/models", headers=bearer("open-sesame")).status_code == 200
    assert free.get("/v1/models", headers=bearer("kept-as-a-hash")).status_code == 200


def test_requests_and_characters_a_minute_are_bounded_for_each_token(free):
    assert [free.get("/v1/models", headers=bearer("two-a-minute")).status_code for _ in range(3)] == [200, 200, 429]
    body = {"input": "好" * 30, "response_format": "pcm"}
    assert free.post(SPEECH, json=body, headers=bearer("few-characters")).status_code == 200
    refused = free.post(SPEECH, json=body, headers=bearer("few-characters"))
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert free.get("/v1/models", headers=bearer("open-sesame")).status_code == 200


def test_answers_at_once_are_bounded_for_each_token(free):
    body = {"input": "今天天气真好，我们去公园散步吧。" * 30, "response_format": "pcm"}
    with free.stream("POST", SPEECH, json=body, headers=bearer("one-at-once")) as first:
        assert first.status_code == 200
        refused = free.post(SPEECH, json=body, headers=bearer("one-at-once"))
    assert refused.status_code == 429
    assert "1 answers are under way" in refused.json()["error"]["message"]


def test_a_bucket_fills_evenly():
    clock = Clock()
    bucket = Bucket(60, clock)
    assert bucket.take(60) == 0
    assert bucket.take(10) == pytest.approx(10)
    clock.now = 9.5
    assert bucket.take(10) == pytest.approx(0.5)
    clock.now = 10.0
    assert bucket.take(10) == 0
    clock.now = 1000.0
    assert bucket.take(61) == 0, "more than a bucket is given by a full one"
    assert bucket.take(1) == pytest.approx(2), "and is a debt"


def test_a_failed_answer_is_no_longer_under_way():
    budget = Budget(Allowance(concurrent=1))
    with pytest.raises(RuntimeError), budget.speaking(1):
        raise RuntimeError
    with budget.speaking(1), pytest.raises(GatewayError, match="under way"), budget.speaking(1):
        pass


def test_the_tokens_file_holds_no_token_in_memory(tmp_path):
    file = tmp_path / "tokens.toml"
    file.write_text('[tokens.shop]\nsecret = "open-sesame"\nconcurrent = 2\n')
    (caller,) = read_tokens(file)
    assert caller.digest == hashlib.sha256(b"open-sesame").digest()
    assert "sesame" not in repr(vars(caller))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("tokens = [", "is not TOML"),
        ("", r"must have tables \[tokens.NAME\]"),
        ("[tokens]", r"must have tables \[tokens.NAME\]"),
        ("[users.a]\nsecret = 'x'", r"must have tables \[tokens.NAME\]"),
        ("[tokens]\na = 1", "tokens.a must be a table"),
        ("[tokens.a]", "tokens.a must have either secret or sha256"),
        ("[tokens.a]\nsecret = 'x'\nsha256 = 'y'", "either secret or sha256"),
        ("[tokens.a]\nsecret = 'two words'", "without spaces"),
        ("[tokens.a]\nsha256 = 'abc'", "64 hexadecimal digits"),
        ("[tokens.a]\nsecret = 'x'\nconcurent = 1", "unknown key concurent"),
        ("[tokens.a]\nsecret = 'x'\nconcurrent = 0", "whole number above 0"),
        ("[tokens.a]\nsecret = 'x'\nrequests_per_minute = true", "whole number above 0"),
        ("[tokens.a]\nsecret = 'x'\n[tokens.b]\nsecret = 'x'", "tokens.b is the same token as tokens.a"),
    ],
)
def test_a_wrong_tokens_file_is_told_in_one_line(tmp_path, content, reason):
    file = tmp_path / "tokens.toml"
    file.write_text(content)
    with pytest.raises(BadRequest, match=reason):
        read_tokens(file)


def test_a_gateway_does_not_start_without_the_tokens_it_was_told_of(tmp_path, capsys):
    assert run(["gateway", "--tokens", str(tmp_path / "none.toml")]) == 2
    assert capsys.readouterr().err.startswith("error: cannot read the tokens in")
