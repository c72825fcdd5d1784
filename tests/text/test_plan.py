"""A request becomes blocks, and each block what the whole text would have become there."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from block import BlockError
from controls import ControlError
from hypothesis import given
from hypothesis import strategies as st
from mandarin import Frontend, TextError
from sentences import split_blocks
from speaking import Ask, Speaking
from text_helpers import shelve, voice_json
from voice_file import BrokenVoiceError, UnknownVoiceError


def plan(speaking: Speaking, text: str, **asked: object) -> list[dict[str, object]]:
    return [json.loads(block) for block in speaking.plan(Ask(text, **asked))]


@given(st.text())
def test_blocks_joined_are_the_text(text: str) -> None:
    assert "".join(split_blocks(text)) == text


@given(st.lists(st.sampled_from(["你好。", "今天天气不错，我们走吧！", "\n", "嗯……"]), max_size=200).map("".join))
def test_blocks_are_no_longer_than_a_block_and_a_sentence(text: str) -> None:
    assert all(len(block) <= 240 + 12 for block in split_blocks(text))


def test_punctuation_alone_is_no_block(speaking: Speaking) -> None:
    assert [block["text"] for block in plan(speaking, "……你好。\n\n再见。 \n")] == ["……你好。\n\n", "再见。 \n"]


def test_the_first_block_is_one_sentence(speaking: Speaking) -> None:
    assert plan(speaking, "你好。今天天气不错。我们走吧。")[0]["text"] == "你好。"


def test_a_block_says_what_the_router_needs(speaking: Speaking) -> None:
    (block,) = plan(speaking, "你好。")
    known = {key: block[key] for key in ("voice", "style", "stages", "vocoders", "sample_rate", "characters")}
    voice = speaking.voice("demo")
    assert known == {
        "voice": "demo",
        "style": voice.style,
        "stages": list(voice.stages),
        "vocoders": voice.vocoders,
        "sample_rate": 24000,
        "characters": 3,
    }


def test_the_longest_text_is_planned_without_being_analysed(
    speaking: Speaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def analyze(*_: object, **__: object) -> None:
        raise AssertionError("a plan analyses nothing")

    monkeypatch.setattr(Frontend, "analyze", analyze)
    for text in (
        "今天天气真好，我们去公园散步吧。" * 3750,
        "<speak>" + "<s>今<emphasis>天</emphasis>气</s>" * 1500 + "</speak>",
    ):
        assert sum(block["characters"] for block in plan(speaking, text)) == len(text)


@pytest.mark.parametrize("unit", ["我们的生活越来越好了", "今天，明天，", "你好 ", "12,345，", "привет "])
def test_a_text_without_sentence_ends_is_cut_all_the_same(unit: str) -> None:
    text = (unit * 6000)[:50_000]
    made = split_blocks(text)
    assert "".join(made) == text
    if unit != "привет ":
        assert max(map(len, made)) <= 481
        assert not any(block[-1].isdigit() and after[0] == "," for block, after in pairwise(made))


def test_what_cannot_be_said_goes_with_what_can(speaking: Speaking) -> None:
    assert [block["text"] for block in plan(speaking, "😀。你好。再见。\nпривет！")] == [
        "😀。你好。",
        "再见。\nпривет！",
    ]


def test_blocks_spoken_one_by_one_are_the_clauses_of_the_whole(speaking: Speaking) -> None:
    ask = Ask("你好。今天天气不错，我们走吧！\n“好。”她说。", controls={"speed": 1.25})
    whole = speaking.whole(ask)
    parts = [speaking.block(block, None) for block in speaking.plan(ask)]
    assert [clause for part in parts for clause in part.clauses] == whole.clauses
    assert np.concatenate([part.lengths for part in parts]).tolist() == whole.lengths.tolist()
    assert {float(speed) for part in parts for speed in part.controls["speed"][:, 0]} == {1.25}


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (Ask(""), TextError),
        (Ask(" \n"), TextError),
        (Ask("你好", voice="nobody"), UnknownVoiceError),
        (Ask("你好", speaker="F7"), ControlError),
        (Ask("你好", emotion="happy"), ControlError),
        (Ask("你好", controls={"speed": 9.0}), ControlError),
        (Ask("你" * 60_001), ControlError),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_spoken(
    speaking: Speaking, ask: Ask, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        speaking.plan(ask)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"silence": 1}', "你好", '{"text": 1, "shift": 3}'])
def test_a_block_that_is_none_is_refused(speaking: Speaking, text: str) -> None:
    with pytest.raises(BlockError, match="send it back as it came"):
        speaking.block(text, None)


def test_a_style_vector_sets_the_controls_it_names(speaking: Speaking) -> None:
    names = speaking.voice("demo").style_controls
    (block,) = speaking.plan(Ask("你好。", controls={"speed": 0.9}))
    style = {"speed": 1.2, "pitch": 1.0, "contour": 0.5, "energy": -2.0}
    controls = speaking.block(block, [style[name] for name in names] if names else None).controls
    assert controls["speed"].tolist() == [[np.float32(0.9)]], "what is asked for wins"
    for name in set(names) - {"speed"}:
        assert controls[name].tolist() == [[np.float32(style[name])]]


@pytest.mark.parametrize("changes", [{"symbols": {"sil": 1}}, {"frame_lead": None}, {"family": "unheard-of"}])
def test_a_voice_of_another_exporter_is_broken_and_says_so(tmp_path: Path, changes: dict[str, object]) -> None:
    speaking = Speaking(shelve(tmp_path, voice_json("old", **changes)))
    with pytest.raises(BrokenVoiceError, match="voice 'old' is"):
        speaking.whole(Ask("你好", voice="old"))
