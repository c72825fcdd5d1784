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
        # A proxy may have put the gateway below its own root.
        assert not re.search(r'"/\w', text)
        for other in re.findall(r'from "\./([\w.]+)"|(?:src|href)="page/([\w.]+)"', text):
            assert "".join(other) in files, name


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_what_is_to_be_read_stands_out(theme):
    found = re.findall(r"--([\w-]+): #([0-9a-f]{6});", assets()["style.css"].content.decode())
    names = [name for name, _ in found]
    second = names.index(names[0], 1)
    colours = dict(found[:second]) | (dict(found[second:]) if theme else {})
    for ink in ("ink", "quiet", "accent", "warn"):
        for ground in ("paper", "card", "sunken"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, f"{ink} on {ground}"
    for ink, ground in (("on-accent", "accent"), ("on-accent", "accent-strong"), ("ink", "bad-wash"), ("ink", "wash")):
        assert contrast(colours[ink], colours[ground]) >= 4.5, f"{ink} on {ground}"
    # What is no text, but has to be seen.
    for line in ("edge", "good", "bad", "head"):
        assert contrast(colours[line], colours["card"]) >= 3, line


def contrast(one, other):
    """The contrast of two colours as WCAG reckons it, 1 to 21."""
    dark, light = sorted(luminance(colour) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    """Of a colour of six hexadecimal digits, 0 to 1."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
