"""How the gateway serves the page."""

from __future__ import annotations

import re

import httpx
import pytest

from server.gateway.page import assets


@pytest.fixture(scope="module")
def client(gateway):
    """A client of the gateway."""
    with httpx.Client(base_url=gateway.url) as made:
        yield made


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/page/style.css", "/page/icon.svg"])
def test_every_file_may_only_use_what_comes_from_here(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"].split("; ")
    assert "default-src 'self'" in policy
    assert not any("unsafe" in rule or "http" in rule or "*" in rule for rule in policy)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_browser_that_has_a_file_is_told_so(client):
    first = client.get("/page/main.js")
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["content-type"].startswith("text/javascript")
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}'):
        again = client.get("/page/main.js", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
    assert client.get("/page/main.js", headers={"if-none-match": '"other"'}).content == first.content


@pytest.mark.parametrize(
    "path", ["/page/", "/page/nothing.js", "/page/../page.py", "/page/%2e%2e/page.py", "/page//main.js"]
)
def test_there_is_nothing_else(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_url"


def test_files_name_no_other_host_and_each_other_alone():
    files = assets()
    for name, asset in files.items():
        text = asset.content.decode()
        assert set(re.findall(r"https?://[^\"' ]+", text)) <= {"http://www.w3.org/2000/svg"}
        assert "innerHTML" not in text
        for other in re.findall(r'from "\./([\w.]+)"|(?:src|href)="page/([\w.]+)"', text):
            assert "".join(other) in files, name
