"""The API reference is made of the docstrings by the page's own command, and nothing public lacks one."""

from __future__ import annotations

import inspect
import subprocess

import pytest
from docs.documented import ROOT, commands

import client
import server


def test_the_reference_is_made_by_its_command(tmp_path):
    (command,) = (c for c in commands() if c.page == "docs/reference.md" and "--output-directory" in c.line)
    words = command.words
    words[words.index("--output-directory") + 1] = str(tmp_path)
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    page = (tmp_path / "client.html").read_text("utf-8")
    assert all(f'id="{name}"' in page for name in client.__all__)


@pytest.mark.parametrize("package", [client, server], ids=lambda package: package.__name__)
def test_everything_public_says_what_it_is(package):
    public = [getattr(package, name) for name in package.__all__]
    members = [
        member
        for thing in public
        if inspect.isclass(thing) and thing.__module__.startswith(package.__name__)
        for name, member in vars(thing).items()
        if inspect.isfunction(member) and not name.startswith("_") and not hasattr(object, name)
    ]
    silent = [thing.__qualname__ for thing in (*public, *members) if callable(thing) and not inspect.getdoc(thing)]
    assert silent == []
