"""Text control through the real server: what is asked for is heard, at the time that the events say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from server import TritonServer


@dataclass(frozen=True)
class Heard:
    """PCM int16 at 24 kHz and its events."""

    audio: np.ndarray
    events: dict[str, Any]

    def level(self, start: float, end: float) -> float:
        """RMS in dB below full scale between two times; -200 for silence."""
        part = self.audio[round(start * 24000) : round(end * 24000)] / 32768.0
        return float(10 * np.log10(np.mean(part**2) + 1e-20))


class Ensemble:
    """The voice `demo`, asked directly."""

    def __init__(self, address: str) -> None:
        self.client = grpcclient.InferenceServerClient(address)

    def say(self, text: str, **inputs: str) -> Heard:
        tensors = []
        for name, value in {"TEXT": text, **inputs}.items():
            tensor = grpcclient.InferInput(name, [1], "BYTES")
            tensor.set_data_from_numpy(np.array([value.encode()], dtype=np.object_))
            tensors.append(tensor)
        answer = self.client.infer("demo", tensors)
        return Heard(answer.as_numpy("AUDIO"), json.loads(answer.as_numpy("EVENTS")[0]))


@pytest.fixture(scope="module")
def demo(service: TritonServer) -> Iterator[Ensemble]:
    made = Ensemble(service.address.grpc)
    yield made
    made.client.close()


def test_a_break_is_as_long_as_asked_and_silent(demo: Ensemble) -> None:
    heard = demo.say('<speak>今天天气真好。<break time="1.5s"/>我们去公园。</speak>')
    first, second = heard.events["clauses"]
    assert second["start"] - first["end"] == pytest.approx(1.5, abs=1e-3)
    assert heard.level(first["end"] + 0.01, second["start"] - 0.01) == -200.0
    assert second["words"][0]["start"] - first["words"][-1]["end"] == pytest.approx(1.5, abs=0.15), "between the words"


def test_breaks_at_the_ends_are_in_the_audio(demo: Ensemble) -> None:
    heard = demo.say("[pause:1s]今天天气真好。[pause:500ms]")
    (clause,) = heard.events["clauses"]
    assert (clause["start"], heard.audio.size / 24000 - clause["end"]) == pytest.approx((1.0, 0.5), abs=1e-3)
    assert not heard.audio[:24000].any()
    assert not heard.audio[-12000:].any()


def test_prosody_changes_its_part_and_no_other(demo: Ensemble) -> None:
    text = "今天天气真好。{}再见。"
    plain = demo.say(text.format("我们去公园散步。"))
    changed = demo.say(f"<speak>{text}</speak>".format('<prosody rate="80%" volume="-6dB">我们去公园散步。</prosody>'))
    lengths = [[clause["end"] - clause["start"] for clause in heard.events["clauses"]] for heard in (plain, changed)]
    ratios = [after / before for before, after in zip(*lengths, strict=True)]
    assert ratios == pytest.approx([1.0, 1.25, 1.0], abs=0.03)
    levels = [
        [heard.level(clause["start"], clause["end"]) for clause in heard.events["clauses"]]
        for heard in (plain, changed)
    ]
    assert [after - before for before, after in zip(*levels, strict=True)] == pytest.approx([0, -6, 0], abs=1.5)


def test_marks_are_heard_where_their_words_begin(demo: Ensemble) -> None:
    heard = demo.say(
        '<speak><mark name="start"/>今天<break time="1s"/><mark name="middle"/>天气真好。<mark name="end"/></speak>'
    )
    first, second = heard.events["clauses"]
    times = {mark["name"]: mark["time"] for mark in heard.events["marks"]}
    assert times == {
        "start": first["words"][0]["start"],
        "middle": second["words"][0]["start"],
        "end": second["end"],
    }


def test_a_substitute_is_spoken_under_the_written_word(demo: Ensemble) -> None:
    heard = demo.say('<speak>他在<sub alias="世界卫生组织">WHO</sub>工作。</speak>')
    spoken = demo.say("他在世界卫生组织工作。")
    assert [word["text"] for word in heard.events["clauses"][0]["words"]] == ["他", "在", "WHO", "工作"]
    assert heard.audio.size / spoken.audio.size == pytest.approx(1.0, abs=0.1)


def test_a_dictionary_is_an_input(demo: Ensemble) -> None:
    heard = demo.say("我们去重庆。", DICTIONARY='{"重庆": "zhong4 qing4"}')
    phones = [phone["phone"] for phone in heard.events["clauses"][0]["words"][-1]["phones"]]
    assert phones == ["zh", "ong4", "q", "ing4"]


@pytest.mark.parametrize(
    ("inputs", "status", "message"),
    [
        ({"text": "<speak>你好"}, "INVALID_ARGUMENT", "line 1, column"),
        ({"text": '<speak><voice name="nobody">你好</voice></speak>'}, "NOT_FOUND", "voices here: demo"),
        ({"text": "你好", "DICTIONARY": '{"你": "nih3"}'}, "INVALID_ARGUMENT", 'entry "你"'),
        ({"text": "[pause:99s]你好"}, "INVALID_ARGUMENT", "longer than 10 s"),
    ],
)
def test_what_is_wrong_has_its_status_and_one_line(
    demo: Ensemble, inputs: dict[str, str], status: str, message: str
) -> None:
    with pytest.raises(InferenceServerException) as caught:
        demo.say(**inputs)
    assert caught.value.status() == f"StatusCode.{status}"
    assert message in caught.value.message()
