"""The command line as a process: signals, pipes and exit codes as a shell sees them."""

from __future__ import annotations

import json
import os
import signal
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client_fakes import Triton, response
from client_programs import start


@pytest.fixture
def triton() -> Iterator[Triton]:
    """A server that speaks."""
    with Triton() as server:
        yield server


@pytest.fixture(autouse=True)
def own_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work in an empty directory."""
    monkeypatch.chdir(tmp_path)


def test_a_process_that_fails_prints_one_line_and_no_more() -> None:
    process = start("voices", "--server", "127.0.0.1:1")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, b"")
    assert err == b"error: no gRPC server at 127.0.0.1:1: start one, or give its gRPC port\n"


@pytest.mark.usefixtures("ctrl_c_counts")
def test_ctrl_c_is_exit_130_and_leaves_no_file() -> None:
    def slowly(request: Any, context: Any) -> Iterator[Any]:
        while context.is_active():
            yield response(0.1)
            time.sleep(0.02)

    with Triton(slowly) as triton:
        process = start("synth", "好", "-o", "out.wav", "--server", triton.address)
        until = time.monotonic() + 20
        while not triton.requests and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert triton.ended.wait(5)
    assert (process.returncode, out, err) == (130, b"", b"error: interrupted\n")
    assert not os.listdir()


def test_a_reader_that_goes_away_is_no_error(triton: Triton) -> None:
    read, write = os.pipe()
    os.close(read)
    process = start("voices", "--server", triton.address, stdout=write)
    os.close(write)
    assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_exit_1(triton: Triton) -> None:
    with open("/dev/full", "wb") as full:
        process = start("voices", "--server", triton.address, stdout=full)
        err = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert err == b"error: standard output: cannot be written (No space left on device)\n"


def test_a_stdout_that_is_not_unicode_still_gets_its_json(triton: Triton) -> None:
    environment_name = "PYTHONIOENCODING"
    os.environ[environment_name] = "ascii"
    try:
        process = start("synth", "好", "-o", "声音.wav", "--json", "--server", triton.address)
        out, err = process.communicate(timeout=30)
    finally:
        del os.environ[environment_name]
    assert (process.returncode, err) == (0, b"")
    assert json.loads(out)["file"] == "声音.wav"


def endless(request: Any, context: Any) -> Iterator[Any]:
    """Speaks for as long as somebody listens."""
    while context.is_active():
        yield response(0.5)
        time.sleep(0.02)


def test_a_pipe_gets_wav_as_it_comes(triton: Triton) -> None:
    process = start("stream", "好", "-o", "-", "--server", triton.address)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert (out[:4], out[8:12], out[36:40]) == (b"RIFF", b"WAVE", b"data")
    assert out[44:] == b"\x07\x00" * 48000
    assert err.decode().splitlines()[-1].startswith("standard output: 2.00 s at 24000 Hz")


def test_a_pipe_gets_raw_samples_when_asked(triton: Triton) -> None:
    process = start("stream", "好", "-o", "-", "--format", "pcm", "--server", triton.address)
    assert process.communicate(timeout=30)[0] == b"\x07\x00" * 48000


def test_a_reader_that_leaves_a_stream_ends_the_request_and_is_one_line() -> None:
    with Triton(endless) as triton:
        process = start("stream", "好", "-o", "-", "--server", triton.address)
        assert process.stdout is not None
        assert process.stdout.read(1000)
        process.stdout.close()
        assert process.wait(timeout=30) == 1
        assert triton.ended.wait(5)
    assert process.stderr is not None
    with process.stderr as err:
        assert err.read() == b"error: standard output: its reader went away before the end\n"


def test_a_reader_that_stops_reading_does_not_hold_up_the_request_and_is_one_line() -> None:
    def answer(request: Any, context: Any) -> Iterator[Any]:
        yield response(30.0, final=True)  # more than a pipe holds

    with Triton(answer) as triton:
        process = start("stream", "好", "-o", "-", "--timeout", "3", "--server", triton.address)
        assert triton.ended.wait(20)
        assert process.wait(timeout=30) == 1
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr as err:
            assert err.read() == b"error: standard output: its reader has taken nothing for 3 s\n"


def test_a_slow_reader_may_take_longer_than_the_timeout() -> None:
    def answer(request: Any, context: Any) -> Iterator[Any]:
        yield response(10.0, final=True)

    with Triton(answer) as triton:
        process = start("stream", "好", "-o", "-", "--format", "pcm", "--timeout", "2", "--server", triton.address)
        assert process.stdout is not None
        with process.stdout as out:
            pieces = [out.read(1 << 16)]
            for _ in range(3):
                time.sleep(0.8)
                pieces.append(out.read(1 << 16))
            pieces.append(out.read())
        assert process.stderr is not None
        process.stderr.close()
        assert process.wait(timeout=30) == 0
    assert len(b"".join(pieces)) == 480_000


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_stream_to_a_full_disk_is_exit_1(triton: Triton) -> None:
    with open("/dev/full", "wb") as full:
        process = start("stream", "好", "-o", "-", "--server", triton.address, stdout=full)
        err = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert err == b"error: standard output: cannot be written (No space left on device)\n"


@pytest.mark.usefixtures("ctrl_c_counts")
@pytest.mark.parametrize("keep", [False, True])
def test_ctrl_c_in_a_stream_cancels_it_and_leaves_a_file_only_when_asked(keep: bool) -> None:
    with Triton(endless) as triton:
        arguments = ["stream", "好", "-o", "out.wav", "--server", triton.address, *(["--keep"] if keep else [])]
        process = start(*arguments)
        until = time.monotonic() + 20
        while not any(os.path.getsize(name) > 100_000 for name in os.listdir()) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert triton.ended.wait(5)
    assert (process.returncode, out, err) == (130, b"", b"error: interrupted\n")
    assert os.listdir() == (["out.wav"] if keep else [])
    if keep:
        with wave.open("out.wav") as file:
            assert file.getnframes() * 2 + 44 == os.path.getsize("out.wav") > 100_000


@pytest.mark.usefixtures("ctrl_c_counts")
def test_ctrl_c_while_playing_silences_the_player(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bin").mkdir()
    Path("bin/aplay").write_text("#!/bin/sh\necho $$ > pid\nexec /bin/sleep 600\n")
    Path("bin/aplay").chmod(0o755)
    monkeypatch.setenv("PATH", str(Path("bin").resolve()))
    with Triton(endless) as triton:
        process = start("stream", "好", "--play", "--server", triton.address)
        until = time.monotonic() + 20
        while not (Path("pid").exists() and Path("pid").read_text().strip()) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert triton.ended.wait(5)
    assert (process.returncode, out, err) == (130, b"", b"error: interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path("pid").read_text()), 0)
