"""``voices``, ``load``, ``unload`` and ``styles``: what they print and return."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from client_fakes import DEMO, Triton, failed

from client.cli import main


@pytest.fixture
def triton() -> Iterator[Triton]:
    """A server with one voice that is ready and one that is not."""
    with Triton() as server:
        yield server


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the program sets to the test."""
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")


def test_voices_are_a_table_or_one_object(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices", "--server", triton.address]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["VOICE", "STATE", "FAMILY"]
    assert lines[1].split()[:6] == ["demo", "ready", "fastspeech2", "24000", "zh", "balanced,fast"]
    assert lines[2].split()[:3] == ["ghost", "unloaded", "-"]
    assert main(["voices", "--json", "--server", triton.address]) == 0
    voices = json.loads(capsys.readouterr().out)["voices"]
    assert [(voice["name"], voice["state"], voice["ready"]) for voice in voices] == [
        ("demo", "ready", True),
        ("ghost", "unloaded", False),
    ]
    assert voices[0]["limits"]["pitch"] == [-4.0, 4.0]


def test_what_a_designed_voice_may_be_like_is_shown(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    triton.configs["demo"] = DEMO | {"attributes": '{"gender": ["男性", "女性"], "age": ["老年"]}'}
    assert main(["voices", "--server", triton.address]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3:] == ["demo: --attribute gender=男性|女性", "demo: --attribute age=老年"]
    assert main(["voices", "--json", "--server", triton.address]) == 0
    demo, ghost = json.loads(capsys.readouterr().out)["voices"]
    assert demo["attributes"] == {"gender": ["男性", "女性"], "age": ["老年"]}
    assert ghost["attributes"] == {}


def test_what_is_wrong_with_a_voice_is_told(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    triton.reasons = {"ghost_encoder": "no such file"}
    assert main(["voices", "--server", triton.address]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[:2] == ["ghost", "broken"]
    assert lines[3] == "ghost: ghost_encoder: no such file"


def test_a_server_without_voices_is_said_on_stderr(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    triton.models = {"tts": "READY"}
    assert main(["voices", "--server", triton.address]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "no voices" in err


def test_a_voice_is_loaded_and_unloaded(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", "ghost", "--server", triton.address]) == 0
    assert capsys.readouterr().out == "ghost: ready, fastspeech2, 24000 Hz\n"
    assert main(["load", "ghost", "--json", "--server", triton.address]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "ready"
    assert main(["unload", "ghost", "--server", triton.address]) == 0
    assert capsys.readouterr().out == "ghost: unloaded\n"
    assert main(["unload", "ghost", "--json", "--server", triton.address]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "unloaded"


@pytest.mark.parametrize("command", ["load", "unload"])
def test_what_is_no_voice_is_exit_2_and_one_line(
    command: str, triton: Triton, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "nobody", "--server", triton.address]) == 2
    assert "there is no voice 'nobody'" in failed(capsys)
    assert main([command, "tts", "--server", triton.address]) == 2
    assert "'tts' is a model that voices share and no voice" in failed(capsys)
    assert main([command, "--server", triton.address]) == 2
    assert "VOICE" in failed(capsys)


@pytest.mark.parametrize("command", ["load", "unload"])
def test_a_server_that_cannot_is_exit_1_and_one_line(
    command: str, triton: Triton, capsys: pytest.CaptureFixture[str]
) -> None:
    triton.managed = False
    assert main([command, "demo", "--server", triton.address]) == 1
    assert "start it with --model-control-mode=explicit" in failed(capsys)


def test_styles_are_a_table_or_one_object(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["styles", "--server", triton.address]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["STYLE", "INSTRUCTION"],
        ["温柔", "用温柔的声音慢慢地说"],
    ]
    assert main(["styles", "--json", "--server", triton.address]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert tree == {"styles": [{"name": "温柔", "instruction": "用温柔的声音慢慢地说"}]}


def test_a_server_without_styles_is_said_on_stderr(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    triton.configs["tts"] = {}
    assert main(["styles", "--server", triton.address]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "no styles" in err
