"""A voice that cannot be loaded harms nobody: neither the server nor those who speak meanwhile."""

from __future__ import annotations

import pytest
from own_server import Copy, eventually, front_door

from client import ServiceUnavailable

SHARED = ("tts", "text_frontend", "aligner", "postprocess", "demo")
# Loads that failed used to kill the server, one in ten or so: these would hardly all go well.
DAMAGED = tuple(f"damaged{number}" for number in range(16))
SLOW = "slow"

_SLOW_STAGE = """
import time
from pathlib import Path


class TritonPythonModel:
    def initialize(self, args):
        while Path(__file__).with_name("held").exists():
            time.sleep(0.01)
        raise ValueError("this stage never loads")
"""


@pytest.fixture(scope="module")
def front(repository, tmp_path_factory):
    """A server with one voice that speaks, many with a damaged file, and one that is long in loading."""
    copy = Copy(repository, tmp_path_factory.mktemp("failing"))
    for voice in (*DAMAGED, SLOW):
        copy.add_voice(voice)
    for voice in DAMAGED:
        copy.damage(f"{voice}_decoder")
    stage = copy.folder / f"{SLOW}_encoder"
    config = stage / "config.pbtxt"
    text = config.read_text("utf-8").replace('platform: "onnxruntime_onnx"\n', "")
    text = text.replace('"onnxruntime"', '"python"').replace('"model.onnx"', '"model.py"')
    config.write_text(text, "utf-8")
    (stage / "1" / "model.py").write_text(_SLOW_STAGE, "utf-8")
    with front_door(copy, control="explicit", load=SHARED) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_retries(monkeypatch):
    monkeypatch.setattr("client._retry.ATTEMPTS", 1)


def test_many_loads_that_fail_leave_the_server_well(front):
    for voice in DAMAGED:
        answers = [front.speak("你好。", voice=voice) for _ in range(8)]
        for answer in answers:
            with pytest.raises(ServiceUnavailable, match=f"voice '{voice}' cannot be loaded: .*{voice}_decoder"):
                answer.result()
    front.server.check()
    assert front.synthesizer.synthesize("我没事。", voice="demo").samples.size


def test_others_speak_while_a_voice_is_being_loaded(front):
    held = front.server.options.repository / f"{SLOW}_encoder" / "1" / "held"
    held.touch()
    try:
        answer = front.speak("快一点。", voice=SLOW)
        eventually(lambda: f"{SLOW}_encoder_0_0" in front.log(), "its stage is being loaded")
        assert front.synthesizer.synthesize("不用等它。", voice="demo").samples.size
        assert not answer.done()
    finally:
        held.unlink()
    with pytest.raises(ServiceUnavailable, match="this stage never loads"):
        answer.result()
