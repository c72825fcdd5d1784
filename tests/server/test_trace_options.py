"""Where spans go, as a user says it."""

from __future__ import annotations

import pytest

from server.cli import run
from server.errors import BadRequest
from server.tracing import Trace


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://collector/other/path", "https://collector/other/path"),
    ],
)
def test_an_address_without_a_path_gets_that_of_otlp(given, url):
    trace = Trace.to(given, 10)
    assert trace.url == url
    assert f"--trace-config=opentelemetry,url={url}" in trace.arguments()
    assert "--trace-config=rate=10" in trace.arguments()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "collector:4318",
        "ftp://collector",
        "http://",
        "http://a:b",
        "http://a/?x=1",
        "http://a:0",
        "http://me:secret@a",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(url):
    with pytest.raises(BadRequest, match=r"must be like http://127\.0\.0\.1:4318/v1/traces"):
        Trace.to(url)


def test_the_command_refuses_it_with_one_line(capsys):
    assert run(["serve", "--trace", "collector:4318"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: the trace address 'collector:4318' must be like http://")
