"""The router's own logic, with the stages replaced by functions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from blocks import split_blocks
from hypothesis import given
from hypothesis import strategies as st
from synthesis import RefusedError, RequestError, Synthesis, TextRefusedError, check_quality, check_text, choose_vocoder

RATE = 24000


class Stages:
    """Every clause is 0.1 s long; a text of only Cyrillic is refused as the front end refuses it."""

    def __init__(self, vocoders=None, pause=0.2, notices=()):
        self.notices = list(notices)
        self.vocoders = vocoders or {"balanced": "melgan"}
        self.pause = pause
        self.models = []

    def __call__(self, model, inputs, outputs):
        self.models.append(model)
        if model == "text_frontend":
            text = inputs["TEXT"][0].decode()
            if not any("一" <= c <= "鿿" for c in text):
                problem = {"code": "INVALID_ARG", "message": "text has nothing to say", "text": True}
                return {"problem": np.array([json.dumps(problem)], dtype=object)}
            if "VOICE" in inputs:
                problem = {"code": "NOT_FOUND", "message": "there is no voice 'x'", "text": False}
                return {"problem": np.array([json.dumps(problem)], dtype=object)}
            clause = json.dumps(
                {
                    "voice": "demo",
                    "unit_bucket": 16,
                    "vocoders": self.vocoders,
                    "pause": self.pause,
                    "notices": [],
                }
            )
            one = np.ones((1, 1), dtype=np.float32)
            return {
                "problem": np.array([b""], dtype=object),
                "units": np.zeros((1, 32, 1), dtype=np.int32),
                "unit_lengths": np.array([[10]], dtype=np.int32),
                "speed": one,
                "pitch": one,
                "contour": one,
                "energy": one,
                "clauses": np.array([[clause]], dtype=object),
            }
        if model == "postprocess":
            clause = {"start": 0.0, "end": 0.1, "words": []}
            events = {"clauses": [clause], "notices": self.notices, "voice": "demo"}
            return {
                "AUDIO": np.ones(RATE // 10, dtype=np.int16),
                "SAMPLE_RATE": np.array([RATE]),
                "EVENTS": np.array([json.dumps(events)], dtype=object),
            }
        if model == "demo_encoder":
            assert inputs["units"].shape == (1, 16, 1), "a clause is padded to its own bucket"
        return {name: np.zeros((1, 1), dtype=np.float32) for name in outputs}


def speak(text, quality="balanced", **kwargs):
    stages = Stages(**kwargs)
    pieces = list(Synthesis(stages, text, quality, {}).pieces())
    return pieces, [json.loads(piece.events) for piece in pieces], stages


@given(st.text())
def test_blocks_joined_are_the_text(text):
    assert "".join(split_blocks(text)) == text


@given(st.lists(st.sampled_from(["你好。", "今天天气不错，我们走吧！", "\n", "嗯……"]), max_size=200).map("".join))
def test_blocks_are_no_longer_than_a_block_and_a_sentence(text):
    assert all(len(block) <= 240 + 12 for block in split_blocks(text))


def test_the_first_block_is_one_sentence():
    assert next(iter(split_blocks("你好。今天天气不错。我们走吧。"))) == "你好。"


def test_a_pause_comes_between_clauses_and_not_after_the_last():
    pieces, events, _ = speak("你好。再见。")
    assert [piece.audio.size for piece in pieces] == [2400, 4800 + 2400]
    assert events[1]["clauses"][0]["start"] == pytest.approx(0.3)


def test_progress_counts_the_whole_text():
    _, events, _ = speak("你好。再见。")
    assert [event["progress"] for event in events] == [{"done": 3, "total": 6}, {"done": 6, "total": 6}]


def test_a_paragraph_that_cannot_be_said_is_reported_and_the_others_are_spoken():
    long = "привет " * 60 + "。"
    pieces, events, _ = speak("你好。" + long + "再见。")
    assert len(pieces) == 2
    assert events[1]["notices"][0]["kind"] == "skipped"


def test_a_paragraph_that_cannot_be_said_at_the_end_is_reported_without_audio():
    pieces, events, _ = speak("你好。再见。" + "привет " * 60)
    assert [piece.audio.size > 0 for piece in pieces] == [True, True, False]
    assert [notice["kind"] for notice in events[2]["notices"]] == ["skipped"]
    assert events[2]["progress"]["done"] == events[2]["progress"]["total"]


def test_the_same_notice_is_told_once():
    notice = {"kind": "clamped", "text": "pitch 6", "message": "too high"}
    _, events, _ = speak("你好。再见。", notices=[notice])
    assert [event["notices"] for event in events] == [[notice], []]


def test_a_text_of_which_nothing_can_be_said_is_refused():
    with pytest.raises(TextRefusedError):
        speak("привет。")


def test_a_request_that_is_wrong_whatever_its_text_ends_at_the_first_block_with_its_code():
    stages = Stages()
    options = {"VOICE": np.array([b"x"], dtype=object)}
    with pytest.raises(RefusedError, match="no voice") as caught:
        list(Synthesis(stages, "你好。再见。" * 100, "balanced", options).pieces())
    assert caught.value.code == "NOT_FOUND"
    assert stages.models == ["text_frontend"]


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_text_is_refused(text):
    with pytest.raises((RequestError, TextRefusedError)):
        speak(text)


def test_a_missing_quality_is_answered_by_another_and_said_once():
    _, events, stages = speak("你好。再见。", quality="high")
    assert [event["quality"] for event in events] == ["balanced", "balanced"]
    assert [notice["kind"] for event in events for notice in event["notices"]] == ["quality"]
    assert "demo_melgan" in stages.models


@pytest.mark.parametrize(
    ("asked", "have", "answered"),
    [
        ("high", {"high": "hifigan", "fast": "melgan"}, "high"),
        ("high", {"fast": "melgan"}, "fast"),
        ("balanced", {"high": "hifigan", "fast": "melgan"}, "fast"),
        ("fast", {"high": "hifigan", "balanced": "melgan"}, "balanced"),
    ],
)
def test_a_quality_falls_to_the_next_one_down_and_else_up(asked, have, answered):
    assert choose_vocoder(asked, have) == (answered, have[answered])


def test_qualities_may_be_asked_for_in_chinese():
    assert [check_quality(name) for name in ("高保真", "平衡", "快速", None)] == [
        "high",
        "balanced",
        "fast",
        "balanced",
    ]


def test_an_unknown_quality_lists_the_known_ones():
    with pytest.raises(RequestError, match="high, balanced, fast"):
        check_quality("ultra")


def test_text_that_is_not_utf8_names_the_byte():
    with pytest.raises(RequestError, match="byte 3"):
        check_text("你".encode() + b"\xff")


def test_a_text_beyond_the_limit_says_so():
    with pytest.raises(RequestError, match="100000 characters"):
        check_text(("你" * 100_000).encode())
