"""What docs/gateway.md shows."""

from __future__ import annotations

import argparse
import re

import httpx
import pytest
from docs.documented import ROOT, commands

from server.gateway.access import read_tokens
from server.gateway.app import create_app
from server.gateway.settings import GatewaySettings

PAGE = "docs/gateway.md"
CALLS = [command for command in commands() if command.page == PAGE and command.words[0] == "curl"]
TEXT = (ROOT / PAGE).read_text("utf-8")


@pytest.mark.parametrize("command", CALLS, ids=str)
def test_a_call_of_the_page_is_answered(command, gateway):
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d")
    parser.add_argument("-o")
    given = parser.parse_args(command.words[1:])
    url = given.url.replace("http://127.0.0.1:8080", gateway.url)
    headers = dict(header.split(": ", 1) for header in given.H)
    answer = httpx.post(url, content=given.d.encode(), headers=headers, timeout=60)
    assert answer.status_code == 200
    assert len(answer.content) > 1000


def test_the_tokens_of_the_page_are_read(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    file = tmp_path / "tokens.toml"
    file.write_text(example.replace("0b3a3e…", "0b" * 32), "utf-8")
    assert [caller.name for caller in read_tokens(file)] == ["shop", "try"]


def test_every_route_is_on_the_page():
    for path, methods in create_app(GatewaySettings()).openapi()["paths"].items():
        for method in methods:
            assert f"`{method.upper()} {path}`" in TEXT
