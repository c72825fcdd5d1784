"""``--play``: the finished audio by whatever player the machine has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from client_fakes import Triton, failed

from client.cli import main


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


def fake_player(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Make a shell script the only player of the machine."""
    Path("bin").mkdir()
    player = Path("bin/aplay")
    player.write_text(f"#!/bin/sh\n{script}\n")
    player.chmod(0o755)
    monkeypatch.setenv("PATH", str(Path("bin").resolve()))


def test_the_finished_audio_is_played(
    triton: Triton, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fake_player(monkeypatch, f'/bin/cp "$2" {tmp_path}/played.wav')
    assert main(["synth", "好", "--play", "--server", triton.address]) == 0
    assert capsys.readouterr().out == "played: 2.00 s at 24000 Hz, voice demo, quality balanced\n"
    assert soundfile.info("played.wav").frames == 48000


def test_a_player_that_fails_is_exit_1_and_the_file_stays(
    triton: Triton, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_player(monkeypatch, "echo no sound card >&2; exit 1")
    assert main(["synth", "好", "--play", "-o", "out.wav", "--server", triton.address]) == 1
    assert "error: aplay could not play the audio: no sound card\n" in capsys.readouterr().err
    assert Path("out.wav").exists()


def test_a_machine_without_a_player_is_told_before_any_work(
    triton: Triton, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["synth", "好", "--play", "--server", triton.address]) == 2
    assert "no audio player found: install one of paplay" in failed(capsys)
    assert not triton.requests
