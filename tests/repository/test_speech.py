"""One request's way through the stages, with the stages replaced by functions."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from chunks import ChunkSizes
from errors import RefusedError, RequestError, TextRefusedError
from request import QUALITIES, Place, Request
from speech import THREADS, Policy, Speech
from stages import Stages

RATE, HOP, TAIL, BUCKET = 24000, 300, 24, 64
PLENTY = Policy(ChunkSizes(32, 256), QUALITIES)


def strings(*texts):
    return np.array([text.encode() for text in texts], dtype=object)


class Models:
    """Every sentence is a clause of `frames` frames; one of only Cyrillic is refused as the front end refuses it.

    The vocoder gives a ramp over the mel's values, so that samples tell which frame they come from.
    """

    def __init__(self, vocoders=None, pause=0.2, notices=(), frames=8, rates=None, style_stage=None):
        self.vocoders = vocoders or {"balanced": "melgan"}
        self.pause = pause
        self.notices = list(notices)
        self.frames = frames
        self.rates = rates or {}
        self.style_stage = style_stage
        self.called = []
        self.units: list[int] = []
        self.aligned: list[tuple[int, int]] = []

    def __call__(self, model, inputs, outputs):
        self.called.append(model)
        role = model.removeprefix("demo_").removeprefix("other_")
        answer = getattr(self, f"_{role}")(inputs)
        return {name: answer[name] for name in outputs if name in answer}

    def _text_frontend(self, inputs):
        if "TEXT" in inputs:
            return {"problem": strings(""), "plan": strings(*map(json.dumps, self._plan(inputs)))}
        block = json.loads(inputs["block"][0])
        if not any("一" <= c <= "鿿" for c in block["text"]):
            problem = {"code": "INVALID_ARG", "message": "text has nothing to say", "text": True}
            return {"problem": strings(json.dumps(problem))}
        rate = self.rates.get(block["voice"], RATE)
        about = {"voice": block["voice"], "unit_bucket": 16, "vocoders": self.vocoders, "pause": self.pause}
        about |= {"frame_lead": TAIL, "frame_tail": TAIL, "frame_bucket": BUCKET, "frame_step": 1, "hop_length": HOP}
        about |= {"sample_rate": rate, "text": block["text"], "notices": self.notices}
        one = np.ones((1, 1), dtype=np.float32)
        controls = dict.fromkeys(("speed", "pitch", "contour", "energy"), one)
        return controls | {
            "problem": strings(""),
            "units": np.zeros((1, 32, 1), dtype=np.int32),
            "unit_lengths": np.array([[10]], dtype=np.int32),
            "clauses": np.array([[json.dumps(about).encode()]], dtype=object),
        }

    def _plan(self, inputs):
        if "VOICE" in inputs:
            raise RefusedError("there is no voice 'x'", "NOT_FOUND")
        for text in inputs["TEXT"][0].decode().split("|"):
            if text.startswith("pause"):
                yield {"silence": float(text[5:]), "marks": ["m"], "characters": len(text) + 1}
            elif text:
                voice = "other" if text.startswith("o:") else "demo"
                block = {"voice": voice, "style": self.style_stage, "stages": [], "vocoders": self.vocoders}
                rate = self.rates.get(voice, RATE)
                yield block | {"sample_rate": rate, "characters": len(text) + 1, "text": text}

    def _style(self, inputs):
        known = np.full((1, 4), float(inputs["instruction"].any()), dtype=np.float32)
        return {"style": known, "certainty": known, "conflict": 0 * known}

    def _encoder(self, inputs):
        units = inputs["units"].shape[1]
        self.units.append(units)
        return {"hidden": np.zeros((1, units, 4), dtype=np.float32), "durations": np.zeros((1, units), np.float32)}

    def _aligner(self, inputs):
        about = json.loads(inputs["clauses"][0, 0])
        self.aligned.append((about["frame_tail"], about["frame_bucket"]))
        words = [{"text": about["text"], "start": 0.0, "end": 0.1, "phones": []}]
        timing = about | {"frames": self.frames, "words": words, "marks": [{"name": "w", "time": 0.05}]}
        return {
            "alignment": np.zeros((1, self.frames + TAIL), dtype=np.int32),
            "frame_lengths": np.array([[self.frames]], dtype=np.int32),
            "timings": np.array([[json.dumps(timing).encode()]], dtype=object),
        }

    def _decoder(self, inputs):
        frames = np.minimum(np.arange(inputs["alignment"].shape[1]), self.frames - 1)
        return {"mel": frames.astype(np.float32)[None, :, None]}

    def _melgan(self, inputs):
        return {"audio": np.repeat(inputs["mel"][:, :, 0], HOP, axis=1)}

    _fast = _melgan

    def _postprocess(self, inputs):
        about = json.loads(inputs["timings"][0, 0])
        assert about["frames"] * HOP == inputs["audio"].shape[1], "whole frames"
        return {"AUDIO": inputs["audio"][0].astype(np.int16)}


@pytest.fixture
def speak():
    with ThreadPoolExecutor(THREADS) as executor:

        def run(
            text,
            quality="balanced",
            style=None,
            policy=PLENTY,
            options=None,
            part=0,
            start=None,
            batching=True,
            attributes=None,
            **kwargs,
        ):
            models, used = Models(**kwargs), []
            request = Request(text, quality, style, options or {}, part, start or Place(), attributes or {})
            speech = Speech(
                Stages(models, batching=batching), request, {"p": "很慢"}, lambda: policy, used.append, executor
            )
            pieces = list(speech.pieces())
            return pieces, [json.loads(piece.events) for piece in pieces], models

        yield run


def test_chunks_joined_are_every_frame_in_order(speak):
    pieces, _, models = speak("你好", frames=700)
    assert np.concatenate([piece.audio for piece in pieces]).tolist() == np.repeat(np.arange(700), HOP).tolist()
    assert len(pieces) == models.called.count("demo_melgan") > 3


def test_the_first_chunk_is_small_and_a_later_clause_is_not(speak):
    pieces, _, _ = speak("你好|再见", frames=200, pause=0.0)
    sizes = [piece.audio.size // HOP for piece in pieces]
    assert sizes[0] == 40
    assert sizes[-1] == 200


def test_a_pause_comes_between_clauses_and_not_after_the_last(speak):
    pieces, events, _ = speak("你好|再见")
    assert [piece.audio.size for piece in pieces] == [2400, 4800 + 2400]
    assert events[1]["clauses"][0]["start"] == pytest.approx(0.3)
    assert events[1]["clauses"][0]["words"][0]["end"] == pytest.approx(0.4)


def test_a_clause_is_told_once_with_its_first_samples(speak):
    _, events, _ = speak("你好", frames=300)
    assert [len(event["clauses"]) for event in events] == [1, *[0] * (len(events) - 1)]
    assert events[0]["clauses"][0]["end"] == pytest.approx(300 * HOP / RATE)


def test_a_break_replaces_the_pause_and_its_marks_stand_at_its_start(speak):
    pieces, events, _ = speak("你好|pause1.0|pause0.5|再见")
    assert pieces[1].audio.size == 36000 + 2400
    assert events[1]["marks"] == [
        {"name": "m", "time": 0.1},
        {"name": "m", "time": 1.1},
        {"name": "w", "time": 1.65},
    ]


def test_breaks_at_both_ends_are_heard(speak):
    pieces, _, _ = speak("pause0.5|你好|pause0.25")
    assert [piece.audio.size for piece in pieces] == [12000 + 2400, 6000]


def test_a_text_of_breaks_alone_is_refused(speak):
    with pytest.raises(RequestError, match="nothing to say"):
        speak("pause0.5")


def test_progress_ends_at_the_whole_text(speak):
    _, events, _ = speak("你好|再见")
    assert [event["progress"]["done"] for event in events] == [3, 6]


def test_a_paragraph_that_cannot_be_said_is_reported_with_what_follows(speak):
    pieces, events, _ = speak("你好|привет|再见")
    assert len(pieces) == 2
    assert events[1]["notices"][0]["kind"] == "skipped"


def test_a_paragraph_that_cannot_be_said_at_the_end_is_reported_without_audio(speak):
    pieces, events, _ = speak("你好|привет")
    assert [piece.audio.size > 0 for piece in pieces] == [True, False]
    assert [notice["kind"] for notice in events[1]["notices"]] == ["skipped"]
    assert events[1]["progress"]["done"] == events[1]["progress"]["total"]


def test_the_same_notice_is_told_once(speak):
    notice = {"kind": "clamped", "text": "pitch 6", "message": "too high"}
    _, events, _ = speak("你好|再见", notices=[notice])
    assert [event["notices"] for event in events] == [[notice], []]


def test_a_text_of_which_nothing_can_be_said_is_refused(speak):
    with pytest.raises(TextRefusedError):
        speak("привет")


def test_a_request_that_is_wrong_ends_before_any_stage_runs(speak):
    with pytest.raises(RefusedError, match="no voice") as caught:
        speak("你好", options={"VOICE": strings("x")})
    assert caught.value.code == "NOT_FOUND"


def test_a_missing_quality_is_answered_by_another_and_said_once(speak):
    _, events, models = speak("你好|再见", quality="high")
    assert [event["quality"] for event in events] == ["balanced", "balanced"]
    assert [notice["kind"] for event in events for notice in event["notices"]] == ["quality"]
    assert "demo_melgan" in models.called


def test_a_quality_that_was_not_asked_for_is_not_missed(speak):
    _, events, _ = speak("你好", quality=None, vocoders={"high": "melgan"})
    assert [event["quality"] for event in events] == ["high"]
    assert not events[0]["notices"]


def test_a_degraded_service_answers_with_the_fast_vocoder_and_says_so(speak):
    notice = {"kind": "degraded", "text": "light", "message": "memory is short"}
    policy = Policy(ChunkSizes(32, 128), QUALITIES, "fast", notice)
    _, events, models = speak("你好", policy=policy, vocoders={"balanced": "melgan", "fast": "fast"}, frames=300)
    assert events[0]["notices"] == [notice]
    assert events[0]["quality"] == "fast"
    assert "demo_melgan" not in models.called


def test_a_style_is_asked_for_once_per_voice(speak):
    _, events, models = speak("你好|再见", style="p", style_stage="style")
    assert models.called.count("demo_style") == 1
    assert events[0]["notices"] == []


def test_a_voice_without_styles_says_so(speak):
    _, events, _ = speak("你好|再见", style="p")
    assert [notice["kind"] for event in events for notice in event["notices"]] == ["style"]


def test_two_voices_of_different_rates_become_one_stream(speak):
    pieces, _, _ = speak("你好|o:再见", rates={"other": 12000}, frames=80, pause=0.0)
    assert {piece.sample_rate for piece in pieces} == {RATE}
    assert sum(piece.audio.size for piece in pieces) == pytest.approx(80 * HOP * 3, abs=4)


def test_an_answer_in_parts_is_the_answer(speak):
    text = "你好|再见|pause0.5|привет|你好|再见"
    whole, told, _ = speak(text, frames=80)
    audio, clauses, start, parts = [], [], Place(), 0
    while start is not None:
        pieces, events, _ = speak(text, part=1, start=start, frames=80)
        audio += [piece.audio for piece in pieces]
        clauses += [clause for event in events for clause in event["clauses"]]
        start = Place.load(events[-1]["resume"]) if "resume" in events[-1] else None
        parts += 1
    assert parts > 1
    assert np.concatenate(audio).tolist() == np.concatenate([piece.audio for piece in whole]).tolist()
    assert clauses == [clause for event in told for clause in event["clauses"]]
    assert events[-1]["progress"] == told[-1]["progress"]


def test_where_requests_share_runs_a_clause_fills_its_own_bucket(speak):
    _, _, models = speak("一。")
    assert (models.units, models.aligned) == ([16], [(0, BUCKET)])


def test_where_they_do_not_a_clause_is_as_long_as_it_is(speak):
    _, _, models = speak("一。", batching=False)
    assert (models.units, models.aligned) == ([10], [(0, 1)])


def test_a_voice_that_is_not_designed_tells_that_it_knows_no_attributes(speak):
    _, events, _ = speak("你好|再见", attributes={"gender": "女性"})
    assert [notice["text"] for event in events for notice in event["notices"]] == ["gender"]
