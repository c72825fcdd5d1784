"""``stream``: audio that is written and played while it comes."""

from __future__ import annotations

import json
import os
import threading
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import soundfile
from client_fakes import Answer, Triton, events, failed, final_response, refuse, response

from client.cli import main


@pytest.fixture
def triton() -> Iterator[Triton]:
    """A server that speaks two seconds in two responses."""
    with Triton() as server:
        yield server


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work in an empty directory, and keep what the program sets to the test."""
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    monkeypatch.chdir(tmp_path)


def stream(triton: Triton, *arguments: str) -> int:
    """Run the command."""
    return main(["stream", *arguments, "--server", triton.address])


def fake_player(monkeypatch: pytest.MonkeyPatch, script: str, name: str = "aplay") -> None:
    """Make a shell script the only player of the machine."""
    Path("bin").mkdir()
    player = Path("bin") / name
    player.write_text(f"#!/bin/sh\n{script}\n")
    player.chmod(0o755)
    monkeypatch.setenv("PATH", str(Path("bin").resolve()))


def test_a_wav_file_is_whole_when_it_is_there(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    assert stream(triton, "今天，", "-o", "out.wav") == 0
    out, err = capsys.readouterr()
    assert out.startswith("out.wav: 2.00 s at 24000 Hz, voice demo, quality balanced, first audio after 0.")
    assert err == "note: 😀 cannot be said: it was left out\n"
    assert os.listdir() == ["out.wav"]
    with wave.open("out.wav") as file:  # strict about what the header says
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (
            1,
            2,
            24000,
            48000,
        )
        assert file.readframes(99999) == b"\x07\x00" * 48000
    assert soundfile.info("out.wav").frames == 48000


@pytest.mark.parametrize("arguments", [["-o", "out.pcm"], ["-o", "out.raw", "--format", "pcm"]])
def test_a_raw_file_holds_samples_only(triton: Triton, arguments: list[str]) -> None:
    assert stream(triton, "今天，", *arguments) == 0
    assert Path(arguments[1]).read_bytes() == b"\x07\x00" * 48000


def test_json_is_one_object_with_everything(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    assert stream(triton, "今天，", "-o", "out.wav", "--json") == 0
    out, err = capsys.readouterr()
    tree = json.loads(out)
    assert err == ""
    assert (tree["file"], tree["seconds"], tree["voice"]) == ("out.wav", 2.0, "demo")
    assert 0 < tree["first_audio_seconds"] <= tree["elapsed_seconds"]
    assert tree["clauses"] == events()["clauses"]
    assert tree["marks"] == events()["marks"]


def test_every_option_of_a_request_reaches_the_server(triton: Triton) -> None:
    Path("words.json").write_text('{"重庆": "chong2 qing4"}', encoding="utf-8")
    pairs = {
        "--voice": "demo",
        "--quality": "高保真",
        "--speaker": "me",
        "--emotion": "sad",
        "--style": "温柔",
        "--dictionary": "words.json",
        "--speed": "1.5",
        "--pitch": "-3",
        "--energy": "2",
    }
    assert stream(triton, "好", "-o", "out.wav", *(item for pair in pairs.items() for item in pair)) == 0
    sent = [tensor.name for tensor in triton.requests[0].inputs]
    assert sorted(sent) == sorted(["TEXT", *(name.strip("-").upper() for name in pairs)])


def test_a_player_hears_the_samples_while_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = threading.Event()

    def answer(request: Any, context: Any) -> Iterator[Any]:
        yield response()
        heard.wait(10)
        yield response()
        yield final_response()

    fake_player(monkeypatch, "/usr/bin/head -c 1000 > first; echo > begun; /bin/cat > rest; echo $* > arguments")

    def watch() -> None:
        for _ in range(1000):
            if Path("begun").exists():
                break
            threading.Event().wait(0.01)
        heard.set()

    watcher = threading.Thread(target=watch)
    with Triton(answer) as triton:
        watcher.start()
        assert stream(triton, "好", "--play") == 0
        watcher.join()
    assert Path("first").stat().st_size + Path("rest").stat().st_size == 2 * 48000
    assert Path("arguments").read_text() == "-q -t raw -f S16_LE -c 1 -r 24000 -\n"


def test_a_file_is_written_beside_playing(triton: Triton, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_player(monkeypatch, "/bin/cat > played")
    assert stream(triton, "好", "--play", "-o", "out.wav") == 0
    assert Path("played").stat().st_size == 96000
    assert soundfile.info("out.wav").frames == 48000


def test_a_player_that_gives_up_is_exit_1_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(request: Any, context: Any) -> Iterator[Any]:
        while context.is_active():
            yield response(0.5)

    fake_player(monkeypatch, "echo no sound card >&2; exit 1")
    with Triton(answer) as triton:
        assert stream(triton, "好", "--play", "-o", "out.wav") == 1
        assert failed(capsys) == "aplay could not play the audio: no sound card"
        assert triton.ended.wait(5), "the request is cancelled on the server"
    assert not Path("out.wav").exists()


def test_a_player_that_ends_with_an_error_is_exit_1_and_the_whole_file_stays(
    triton: Triton, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_player(monkeypatch, "/bin/cat > /dev/null; echo bad rate >&2; exit 3")
    assert stream(triton, "好", "--play", "-o", "out.wav", "--keep") == 1
    assert "error: aplay could not play the audio: bad rate\n" in capsys.readouterr().err
    assert soundfile.info("out.wav").frames == 48000


def test_a_player_that_cannot_stream_is_not_taken(
    triton: Triton, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_player(monkeypatch, "exit 0", name="afplay")
    assert stream(triton, "好", "--play") == 2
    assert "no audio player found: install one of paplay, aplay, ffplay, play" in failed(capsys)
    assert not triton.requests


def cut_short(request: Any, context: Any) -> Iterator[Any]:
    """A second of audio, and then the server fails."""
    yield response()
    context.abort(grpc.StatusCode.INTERNAL, "melgan: broken")


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_cut_short_leaves_a_file_only_when_asked(keep: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with Triton(cut_short) as triton:
        assert stream(triton, "好", "-o", "out.wav", *(["--keep"] if keep else [])) == 1
    assert failed(capsys) == "the server failed (INTERNAL): melgan: broken"
    assert os.listdir() == (["out.wav"] if keep else [])
    if keep:
        with wave.open("out.wav") as file:
            assert file.getnframes() == 24000


def nothing(request: Any, context: Any) -> Iterator[Any]:
    """The end, and no audio before it."""
    yield final_response()


@pytest.mark.parametrize("answer", [nothing, refuse(grpc.StatusCode.INVALID_ARGUMENT, "nothing to say")])
def test_an_answer_without_audio_leaves_no_file(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    with Triton(answer) as triton:
        assert stream(triton, "好", "-o", "out.wav", "--keep") in (1, 2)
    assert failed(capsys)
    assert not os.listdir()


WRONG = {
    "no output": (["好"], "give the audio file with -o OUT, -o - for a pipe, or --play"),
    "unknown ending": (["好", "-o", "o.mp3"], "ending must be .wav or .pcm, or give --format"),
    "unknown format": (["好", "-o", "o.wav", "--format", "mp3"], "--format must be wav or pcm"),
    "format of nothing": (["好", "--play", "--format", "pcm"], "--format is about the output"),
    "keep nothing": (["好", "-o", "-", "--keep"], "--keep is about a file"),
    "two on stdout": (["好", "-o", "-", "--json"], "cannot hold both the audio and --json"),
    "no directory": (["好", "-o", "no/o.wav"], "does not exist"),
    "a directory": (["好", "-o", "sub", "--format", "wav"], "is not a regular file"),
    "a zero in the name": (["好", "-o", "o\0.wav"], "cannot be written"),
    "a long name": (["好", "-o", "o" * 300 + ".wav"], "cannot be written"),
    "no text": (["-o", "o.wav"], "give the text once"),
    "style too long": (["好", "-o", "o.wav", "--style", "x" * 501], "style has 501 characters"),
    "timeout": (["好", "-o", "o.wav", "--timeout", "nan"], "total timeout must be"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_request_is_exit_2_and_one_line(
    arguments: list[str], message: str, triton: Triton, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("sub").mkdir()
    assert stream(triton, *arguments) == 2
    assert message in failed(capsys)
    assert os.listdir() == ["sub"]
    assert not triton.requests


DICTIONARIES = {
    "two readings": ("重\tzhong4\n重\tchong2", "two readings, 'zhong4' and 'chong2'"),
    "two readings in JSON": ('{"重": "zhong4", "重": "chong2"}', "two readings"),
    "no tab": ("# words\n\n重 zhong4", "line 3 must be a word, a tab and its reading"),
    "no reading": ("重\t", "line 1 must be a word, a tab and its reading"),
    "broken JSON": ('{"重": ', "not a JSON object of words and readings"),
    "nested JSON": ('{"重": {"a": "b"}}', "the reading of '重' must be a string"),
    "number": ('{"重": 3}', "the reading of '重' must be a string"),
    "empty": (" \n", "there is no dictionary in it"),
}


@pytest.mark.parametrize(("content", "message"), DICTIONARIES.values(), ids=DICTIONARIES.keys())
def test_a_broken_dictionary_is_exit_2_and_one_line(
    content: str, message: str, triton: Triton, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("words").write_text(content, encoding="utf-8")
    assert stream(triton, "好", "-o", "out.wav", "--dictionary", "words") == 2
    assert message in failed(capsys)
    assert not triton.requests


def test_a_dictionary_has_comments_and_a_word_may_be_there_twice(triton: Triton) -> None:
    Path("words").write_text("\ufeff# 城市\n重庆\tchong2 qing4\n\n重庆\tchong2 qing4\nGPU\t显卡\n", encoding="utf-8")
    assert stream(triton, "好", "-o", "out.wav", "--dictionary", "words") == 0
    words = triton.requests[0].raw_input_contents[1][4:]
    assert json.loads(words) == {"重庆": "chong2 qing4", "GPU": "显卡"}
