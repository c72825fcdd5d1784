"""The recipes of docs/recipes.md work as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import wave
from pathlib import Path

import httpx
import playwright
import soundfile
from gateway.process import Gateway

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text("utf-8")
WRITTEN = "http://127.0.0.1:8080"
PATIENCE = 120
# The one that Playwright brings, wherever the tests run.
NODE = Path(playwright.__file__).parent / "driver" / "node"


def recipe(title: str, language: str) -> str:
    """The example in a language under a title."""
    section = PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert WRITTEN in found
    return found


def run(gateway: Gateway, folder: Path, code: str, *program: str) -> str:
    """What an example prints, with this gateway's address, in a folder of its own."""
    example = code.replace(WRITTEN, gateway.url)
    done = subprocess.run([*program, example], cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


def python(gateway: Gateway, folder: Path, title: str) -> str:
    return run(gateway, folder, recipe(title, "py"), sys.executable, "-c")


def shell(gateway: Gateway, folder: Path, title: str) -> str:
    return run(gateway, folder, recipe(title, "sh"), "bash", "-ec")


def seconds(file: Path) -> float:
    return soundfile.info(file).duration


def test_curl_gets_a_file_and_the_voices(gateway: Gateway, tmp_path: Path) -> None:
    told = json.loads(shell(gateway, tmp_path, "curl"))
    assert [voice["name"] for voice in told["voices"]] == ["demo"]
    assert seconds(tmp_path / "speech.mp3") > 1


def test_openais_package_speaks_with_what_openai_does_not_have(gateway: Gateway, tmp_path: Path) -> None:
    said = python(gateway, tmp_path, "OpenAI's Python package")
    assert said.startswith("demo")
    assert seconds(tmp_path / "speech.wav") > 1


def test_fetch_writes_a_file_as_it_comes(gateway: Gateway, tmp_path: Path) -> None:
    run(gateway, tmp_path, recipe("JavaScript", "js"), str(NODE), "--input-type=module", "-e")
    assert seconds(tmp_path / "speech.opus") > 1


def test_subtitles_are_written_with_the_audio_they_are_for(gateway: Gateway, tmp_path: Path) -> None:
    words = python(gateway, tmp_path, "Subtitles").splitlines()
    assert [line.split()[2] for line in words[:3]] == ["今天", "天气", "真"]
    subtitles = (tmp_path / "speech.srt").read_text("utf-8")
    assert "今天天气真好，我们去公园。" in subtitles
    last = re.findall(r"--> 00:00:(\d+),(\d+)", subtitles)[-1]
    with wave.open(str(tmp_path / "speech.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24000)
        assert float(".".join(last)) <= file.getnframes() / file.getframerate()


def test_pinyin_is_told_and_spoken(gateway: Gateway, tmp_path: Path) -> None:
    told = json.loads(shell(gateway, tmp_path, "Pinyin"))
    assert told["phonemes"] in recipe("Pinyin", "sh"), "what is spoken there is what was told"
    assert seconds(tmp_path / "speech.mp3") > 1


def test_an_agent_takes_frames_of_raw_samples(gateway: Gateway, tmp_path: Path) -> None:
    python(gateway, tmp_path, "A voice agent")
    samples, _ = soundfile.read(tmp_path / "speech.pcm", samplerate=24_000, channels=1, format="RAW", subtype="PCM_16")
    assert len(samples) > 2 * 24_000
    assert abs(samples).max() > 0.05


def test_open_webui_finds_what_it_asks_for_with_these_settings(gateway: Gateway) -> None:
    lines = recipe("Open WebUI", "ini").replace(WRITTEN, gateway.url).splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    base, key = settings["AUDIO_TTS_OPENAI_API_BASE_URL"], settings["AUDIO_TTS_OPENAI_API_KEY"]
    models = httpx.get(f"{base}/audio/models").raise_for_status().json()["models"]
    assert settings["AUDIO_TTS_MODEL"] in [model["id"] for model in models]
    voices = httpx.get(f"{base}/audio/voices").raise_for_status().json()["voices"]
    assert settings["AUDIO_TTS_VOICE"] in {voice["id"]: voice["name"] for voice in voices}
    # It adds the model and the parameters to what its page sends.
    body = {
        "input": "你好！",
        "voice": settings["AUDIO_TTS_VOICE"],
        "model": settings["AUDIO_TTS_MODEL"],
        **json.loads(settings["AUDIO_TTS_OPENAI_PARAMS"]),
    }
    answer = httpx.post(f"{base}/audio/speech", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=60)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/mpeg"
    assert "x-tts-notices" not in answer.headers
    assert len(answer.content) > 4000


def test_every_example_of_the_page_is_run() -> None:
    run_here = ["sh", "py", "js", "py", "sh", "py", "ini"]
    assert re.findall(r"^```(\w+)$", PAGE, re.MULTILINE) == run_here
