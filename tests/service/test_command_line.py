"""The command line against the real server, as a user types it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

import pytest
import soundfile

SENTENCE = "今天天气真好，我们去公园散步吧。"


@pytest.fixture
def run(service, tmp_path):
    def call(*arguments, server=None, stdin=None):
        command = [sys.executable, "-m", "client", *arguments]
        address = server or service.address.grpc
        return subprocess.run(
            [*command, "--server", address], capture_output=True, input=stdin, cwd=tmp_path, check=False, timeout=60
        )

    return call


@pytest.fixture(autouse=True)
def _find_the_client(monkeypatch, repository):
    monkeypatch.setenv("PYTHONPATH", str(repository.parent))


@pytest.mark.parametrize("ending", ["wav", "flac", "opus"])
def test_a_sentence_becomes_a_file_of_the_kind_its_name_ends_with(run, tmp_path, ending):
    result = run("synth", SENTENCE, "-o", f"out.{ending}")
    assert result.returncode == 0, result.stderr
    assert f"out.{ending}" in result.stdout.decode()
    samples, rate = soundfile.read(tmp_path / f"out.{ending}")
    assert rate == 24000
    assert 2.5 < len(samples) / rate < 5


def test_text_comes_from_a_file_or_from_standard_input(run, tmp_path):
    (tmp_path / "text.txt").write_text(SENTENCE, encoding="utf-8")
    assert run("synth", "--file", "text.txt", "-o", "a.wav").returncode == 0
    assert run("synth", "-", "-o", "b.wav", stdin=SENTENCE.encode()).returncode == 0
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_json_is_one_object_and_nothing_else(run):
    result = run("synth", SENTENCE, "-o", "out.wav", "--json")
    content = json.loads(result.stdout)
    assert content["voice"] == "demo"
    assert content["seconds"] > 2
    assert not result.stderr


def test_subtitles_cover_the_words(run, tmp_path):
    assert run("synth", SENTENCE, "-o", "out.wav", "--srt", "out.srt").returncode == 0
    srt = (tmp_path / "out.srt").read_text(encoding="utf-8")
    assert srt.startswith("1\n00:00:00,")
    assert "公园" in srt


def test_voices_lists_the_demo_voice(run):
    result = run("voices", "--json")
    assert result.returncode == 0
    (voice,) = json.loads(result.stdout)["voices"]
    assert (voice["name"], voice["family"], voice["sample_rate"]) == ("demo", "fastspeech2", 24000)


def test_health_is_good_only_when_a_synthesis_works(run):
    result = run("health", "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["healthy"] is True


WRONG = [
    (["synth", "", "-o", "out.wav"], None),
    (["synth", "   ", "-o", "out.wav"], None),
    (["synth", "，。！", "-o", "out.wav"], None),
    (["synth", "😀", "-o", "out.wav"], None),
    (["synth", "\x07\x1b", "-o", "out.wav"], None),
    (["synth", "-", "-o", "out.wav"], b"\xe4\xbd\xa0\xff"),
    (["synth", "-", "-o", "out.wav"], ("你" * 100_000).encode()),
    (["synth", SENTENCE, "-o", "out.wav", "--voice", "nobody"], None),
    (["synth", SENTENCE, "-o", "out.wav", "--speed", "0"], None),
    (["synth", SENTENCE, "-o", "out.wav", "--speed", "nan"], None),
    (["synth", SENTENCE, "-o", "missing/out.wav"], None),
    (["synth", SENTENCE, "-o", "out.xyz"], None),
    (["synth", "--file", "missing.txt", "-o", "out.wav"], None),
]


@pytest.mark.parametrize(("arguments", "stdin"), WRONG, ids=[" ".join(case[0])[:40] for case in WRONG])
def test_a_wrong_request_is_one_line_and_exit_code_2(run, tmp_path, arguments, stdin):
    result = run(*arguments, stdin=stdin)
    lines = result.stderr.decode().splitlines()
    assert result.returncode == 2, lines
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert not list(tmp_path.iterdir()), "nothing is left behind"


@pytest.mark.parametrize("kind", ["dead", "nonsense", "unknown"])
def test_no_server_is_one_line_and_exit_code_1(run, tmp_path, kind):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        dead = f"127.0.0.1:{taken.getsockname()[1]}"
        address = {"dead": dead, "nonsense": "nonsense:abc", "unknown": "no.such.host.invalid:8001"}[kind]
        begin = time.monotonic()
        result = run("synth", SENTENCE, "-o", "out.wav", server=address)
    lines = result.stderr.decode().splitlines()
    assert result.returncode == (2 if kind == "nonsense" else 1), lines
    assert len(lines) == 1
    assert time.monotonic() - begin < 30
    assert not list(tmp_path.iterdir())


def test_health_of_a_dead_server_exits_with_1(run):
    assert run("health", server="127.0.0.1:1").returncode == 1
