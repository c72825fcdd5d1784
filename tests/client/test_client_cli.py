"""The command line: what it prints, writes and returns."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import soundfile
from client_fakes import Triton, events, failed, final_response, refuse, response
from client_programs import Terminal
from hypothesis import given, settings
from hypothesis import strategies as st

import client
from client.cli import _console, _progress, main


@pytest.fixture
def triton() -> Iterator[Triton]:
    """A server that speaks."""
    with Triton() as server:
        yield server


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work in an empty directory, and keep what the program sets to the test."""
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    monkeypatch.chdir(tmp_path)


def feed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Make ``data`` the standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_text_becomes_a_file_and_one_line(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", "今天，", "-o", "out.wav", "--server", triton.address]) == 0
    out, err = capsys.readouterr()
    assert out == "out.wav: 2.00 s at 24000 Hz, voice demo, quality balanced\n"
    assert err == "note: 😀 cannot be said: it was left out\n"
    assert soundfile.info("out.wav").frames == 48000


@pytest.mark.parametrize("command", ["synth", "stream"])
def test_every_option_reaches_the_server(command: str, triton: Triton) -> None:
    Path("words").write_text("重庆\tchong2 qing4\n", encoding="utf-8")
    names = (
        "--voice",
        "--quality",
        "--speaker",
        "--emotion",
        "--style",
        "--dictionary",
        "--speed",
        "--pitch",
        "--energy",
        "--seed",
    )
    values = ("demo", "高保真", "me", "sad", "温柔", "words", "1.5", "-3", "2", "7")
    options = [item for pair in zip(names, values, strict=True) for item in pair]
    options += ["--attribute", "gender=女性", "--attribute", "age = 老年"]
    assert main([command, "好", "-o", "out.wav", "--server", triton.address, *options]) == 0
    sent = {tensor.name: raw for tensor, raw in zip(*_tensors(triton.requests[0]), strict=True)}
    assert sorted(sent) == sorted(["TEXT", "ATTRIBUTES", *(name.strip("-").upper() for name in names)])
    assert sent["QUALITY"] == b"\x04\x00\x00\x00high"
    assert sent["SEED"] == b"\x07\x00\x00\x00"
    assert json.loads(sent["ATTRIBUTES"][4:]) == {"gender": "女性", "age": "老年"}


def _tensors(request: Any) -> tuple[Any, Any]:
    return request.inputs, request.raw_input_contents


def test_json_is_one_object_with_everything(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "synth",
        "今天，",
        "-o",
        "out.opus",
        "--srt",
        "out.srt",
        "--json",
        "--server",
        triton.address,
    ]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    tree = json.loads(out)
    assert set(tree) == {
        "file",
        "srt",
        "seconds",
        "sample_rate",
        "voice",
        "quality",
        "clauses",
        "marks",
        "notices",
        "elapsed_seconds",
        "first_audio_seconds",
        "real_time_factor",
    }
    assert (tree["file"], tree["srt"], tree["seconds"]) == ("out.opus", "out.srt", 2.0)
    assert tree["clauses"] == events()["clauses"]
    assert tree["notices"] == events()["notices"]
    assert tree["marks"] == events()["marks"]
    assert Path("out.srt").read_text(encoding="utf-8") == "1\n00:00:00,100 --> 00:00:00,900\n今天，\n"


def test_text_comes_from_standard_input_or_a_file(triton: Triton, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, "\ufeff今天".encode())
    assert main(["synth", "-", "-o", "a.wav", "--server", triton.address]) == 0
    Path("text").write_text("今天", encoding="utf-8")
    assert main(["synth", "--file", "text", "-o", "b.wav", "--server", triton.address]) == 0
    sent = {request.raw_input_contents[0] for request in triton.requests}
    assert sent == {b"\x06\x00\x00\x00" + "今天".encode()}


@pytest.mark.parametrize(("data", "offset"), [(b"ab\xff", 2), (b"\xef\xbb\xbfab\xff", 5), ("好".encode()[:2], 0)])
def test_input_that_is_not_utf8_is_refused_with_the_place(
    data: bytes, offset: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, data)
    assert main(["synth", "-", "-o", "out.wav"]) == 2
    assert f"standard input: not UTF-8 at byte {offset}," in failed(capsys)
    Path("text").write_bytes(data)
    assert main(["synth", "--file", "text", "-o", "out.wav"]) == 2
    assert f"text: not UTF-8 at byte {offset}," in failed(capsys)


WRONG = {
    "no text": (["-o", "o.wav"], "give the text once"),
    "two texts": (["好", "--file", "f", "-o", "o.wav"], "give the text once"),
    "empty text": (["", "-o", "o.wav"], "there is no text in it"),
    "blank text": ([" \n", "-o", "o.wav"], "there is no text in it"),
    "no such file": (["--file", "none", "-o", "o.wav"], "none: cannot be read (No such file or directory)"),
    "directory as file": (["--file", ".", "-o", "o.wav"], "cannot be read (Is a directory)"),
    "no output": (["好"], "give the audio file with -o OUT, or --play"),
    "unknown ending": (["好", "-o", "o.mp3"], "ending must be one of .wav"),
    "no directory": (["好", "-o", "no/o.wav"], "does not exist"),
    "no directory for subtitles": (["好", "-o", "o.wav", "--srt", "no/o.srt"], "does not exist"),
    "two outputs in one": (["好", "-o", "o.wav", "--srt", "./o.wav"], "give another name for the subtitles"),
    "speed 0": (["好", "-o", "o.wav", "--speed", "0"], "speed must be a number between 0.5 and 2.0, got 0"),
    "speed nan": (["好", "-o", "o.wav", "--speed", "nan"], "got nan"),
    "pitch too high": (["好", "-o", "o.wav", "--pitch", "13"], "pitch must be"),
    "energy inf": (["好", "-o", "o.wav", "--energy", "inf"], "energy must be"),
    "speed no number": (["好", "-o", "o.wav", "--speed", "x"], "'--speed'"),
    "quality": (["好", "-o", "o.wav", "--quality", "best"], "quality must be one of high"),
    "seed below 0": (["好", "-o", "o.wav", "--seed", "-1"], "seed must be a whole number between 0 and"),
    "seed no number": (["好", "-o", "o.wav", "--seed", "x"], "'--seed'"),
    "attribute without value": (["好", "-o", "o.wav", "--attribute", "gender"], "must be NAME=VALUE, got 'gender'"),
    "attribute without name": (["好", "-o", "o.wav", "--attribute", "=女性"], "must be NAME=VALUE"),
    "attribute twice": (
        ["好", "-o", "o.wav", "--attribute", "gender=女性", "--attribute", "gender=男性"],
        "gender has two values, '女性' and '男性': keep one",
    ),
    "timeout": (["好", "-o", "o.wav", "--timeout", "0"], "total timeout must be"),
    "server": (["好", "-o", "o.wav", "--server", "here"], "server must be HOST:PORT"),
    "unknown option": (["好", "--loud"], "--loud"),
    "option without value": (["好", "-o"], "-o"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_request_is_exit_2_and_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["synth", *arguments]) == 2
    assert message in failed(capsys)
    assert not any(name.startswith("o.") for name in os.listdir())


def test_an_endless_input_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", "--file", "/dev/zero", "-o", "out.wav"]) == 2
    assert "more than 16 MiB" in failed(capsys)


def test_an_unknown_command_is_exit_2_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sing"]) == 2
    assert "sing" in failed(capsys)


def test_no_command_is_exit_2_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "(see python -m client --help)" in failed(capsys)


def test_help_is_exit_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", "--help"]) == 0
    assert "--quality" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("INVALID_ARGUMENT", 2),
        ("NOT_FOUND", 2),
        ("INTERNAL", 1),
        ("UNAVAILABLE", 1),
        ("DEADLINE_EXCEEDED", 1),
    ],
)
def test_each_failure_of_the_server_has_its_exit_code(
    code: str, exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with Triton(refuse(grpc.StatusCode[code], "what to do")) as triton:
        assert main(["synth", "好", "-o", "out.wav", "--json", "--server", triton.address]) == exit_code
    assert failed(capsys)
    assert not os.listdir()


def test_a_full_disk_is_exit_1_and_leaves_nothing(
    triton: Triton, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["synth", "好", "-o", "out.wav", "--server", triton.address]) == 1
    assert failed(capsys) == "out.wav: no room left on the disk, make some or write elsewhere"
    assert not os.listdir()


def test_subtitles_without_times_are_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(request: Any, context: Any) -> Iterator[Any]:
        yield response(tree={"voice": "demo"})
        yield final_response()

    with Triton(answer) as triton:
        assert main(["synth", "好", "-o", "out.wav", "--srt", "out.srt", "--server", triton.address]) == 1
    assert "sent no times" in failed(capsys)
    assert not Path("out.srt").exists()


def test_health_is_exit_0_only_when_the_service_speaks(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", "--server", triton.address]) == 0
    assert "triton 2.51.0" in capsys.readouterr().out
    assert main(["health", "--json", "--server", triton.address]) == 0
    assert json.loads(capsys.readouterr().out)["healthy"] is True
    with Triton(refuse(grpc.StatusCode.INTERNAL, "stub is dead")) as dead:
        assert main(["health", "--server", dead.address]) == 1
        assert "error: voice demo: the server failed (INTERNAL): stub is dead" in capsys.readouterr().err
        assert main(["health", "--json", "--server", dead.address]) == 1
    assert json.loads(capsys.readouterr().out)["healthy"] is False
    assert main(["health", "--server", dead.address]) == 1
    assert "no gRPC server at" in failed(capsys)


def test_progress_is_shown_for_long_texts_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    long_text = "好" * _progress.LONG
    with _progress.progress_bar(long_text) as moved:
        assert moved is None
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with _progress.progress_bar("好") as moved:
        assert moved is None
    assert terminal.getvalue() == ""
    with _progress.progress_bar(long_text) as moved:
        assert moved is not None
        moved(client.Progress(50, 200))
    assert "50/200" in terminal.getvalue()


@settings(deadline=None)
@given(st.text())
def test_a_note_is_one_line(text: str) -> None:
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        _console.note(f"note: {text}")
    assert stream.getvalue().count("\n") == 1
