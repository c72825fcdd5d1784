"""A designed voice from the request to its audio: while its language model still writes, and when that goes wrong."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from chunks import ChunkSizes
from errors import CancelledError, RefusedError, RequestError, StageError, TextRefusedError, UnavailableError
from generation import Generation, derived_seed
from hypothesis import given, settings
from hypothesis import strategies as st
from request import QUALITIES, Place, Request
from sculpting_fakes import FIRST, HOP, PROMPT, RATE, SOS, TASK, Voice, strings
from speech import THREADS, Policy, Speech
from stages import Stages

PLENTY = Policy(ChunkSizes(32, 256), QUALITIES)
PRESETS = {"电台主播": "深夜电台的男主播"}


class Told:
    """What a request was answered."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.events = [json.loads(piece.events) for piece in pieces]
        self.audio = np.concatenate([piece.audio for piece in pieces])

    def all(self, name):
        return [item for event in self.events for item in event[name]]


@pytest.fixture
def executor():
    with ThreadPoolExecutor(THREADS) as executor:
        yield executor


@pytest.fixture
def speak(executor):
    def run(text, voice=None, check=lambda: None, **asked):
        voice = voice or Voice()
        return Told(list(begin(text, voice, executor, check, **asked)))

    return run


def begin(text, voice, executor, check=lambda: None, batching=True, **asked):
    names = {"quality": None, "style": None, "options": {}} | asked
    stages = Stages(voice.caller(check), batching=batching)
    return Speech(stages, Request(text, **names), PRESETS, lambda: PLENTY, lambda block: None, executor).pieces()


def expected(frames):
    """The samples of a piece: the number of each frame, once."""
    return np.repeat(np.arange(frames), HOP).tolist()


def test_every_frame_is_heard_once_and_in_order(speak):
    told = speak("今天天气真好今天天气真好")
    assert told.audio.tolist() == expected(2 * 6 * 12)
    assert [clause["text"] for clause in told.all("clauses")] == ["今天天气真好今天天气真好"]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=3), st.floats(0.5, 2.0), st.booleans())
def test_pieces_of_any_length_at_any_speed_are_heard_whole(lengths, speed, batching):
    voice = Voice(count=lambda units, seed: 5 * len(units))
    voice.speed = speed
    if not batching:
        voice._hift = lambda inputs: {"audio": np.repeat(inputs["mel"][:, :, 2], HOP, axis=1)}
    with ThreadPoolExecutor(THREADS) as executor:
        told = Told(list(begin("|".join("字" * n for n in lengths), voice, executor, batching=batching)))
    pause = [0] * round(0.1 * RATE)
    heard = []
    for length in lengths:
        stretched = np.float32(speed)
        heard += [*(pause if heard else []), *expected(max(1, round(10 * length / float(stretched))))]
    assert told.audio.tolist() == heard


def test_audio_is_heard_while_the_language_model_still_writes(executor):
    gate = threading.Semaphore(0)
    voice = Voice(count=lambda units, seed: 400, gate=lambda: gate.acquire(blocking=False))
    pieces = begin("一二三四五六七八九十" * 4, voice, executor)
    gate.release(1)
    first = next(pieces)
    assert first.audio.size >= 16 * HOP
    assert voice.running == 1, "it is still writing"
    assert json.loads(first.events)["clauses"] == []
    gate.release(100)
    told = Told([first, *pieces])
    assert told.audio.tolist() == expected(800)
    (clause,) = told.all("clauses")
    assert (clause["start"], clause["end"], clause["words"]) == (0.0, 800 * HOP / RATE, [])
    assert told.events[-1]["clauses"] == [clause], "its end is known with its last samples"


def test_the_prompt_has_the_design_and_the_text_in_upstreams_order(speak):
    voice = Voice()
    speak("今天", voice)
    (written,) = voice.written
    units = [ord(char) % 800 for char in "今天"]
    assert written["prompt"] == [SOS, 7, 8, *units, TASK, *range(FIRST, FIRST + PROMPT)]
    assert (written["least"], written["most"]) == ([4], [40])


def test_the_next_piece_is_written_while_one_is_vocoded_and_never_two_at_once(executor):
    vocoding, written = threading.Event(), threading.Event()
    voice = Voice()
    vocode = voice._hift

    def hift(inputs):
        vocoding.set()
        assert written.wait(5), "the second piece is written meanwhile"
        return vocode(inputs)

    voice._hift = hift
    voice.count = lambda units, seed: (len(voice.written) > 1 and vocoding.wait(5) and written.set()) or 100
    told = Told(list(begin("今天天气|明天天气", voice, executor)))
    assert len(told.all("clauses")) == 2
    assert voice.most_running == 1


def test_no_more_than_one_piece_is_made_ahead(executor):
    voice = Voice(count=lambda units, seed: 200)
    pieces = begin("|".join("今天天气" for _ in range(9)), voice, executor)
    next(pieces)
    threading.Event().wait(0.3)
    assert len(voice.written) <= 3
    pieces.close()


def test_times_and_marks_go_on_from_piece_to_piece(speak):
    told = speak("今天天气|明天", Voice(count=lambda units, seed: 50))
    first, second = told.all("clauses")
    assert first["end"] == pytest.approx(100 * HOP / RATE)
    assert second["start"] == pytest.approx(first["end"] + 0.1)
    assert [(mark["name"], mark["time"]) for mark in told.all("marks")] == [
        ("a", 0.0),
        ("z", first["end"]),
        ("a", second["start"]),
        ("z", second["end"]),
    ]
    assert [event["progress"]["done"] for event in told.events][-1] == len("今天天气|明天") + 1
    done = [event["progress"]["done"] for event in told.events]
    assert done == sorted(done)


def test_the_same_seed_writes_the_same_and_another_does_not(speak):
    seeds = []
    for seed in (5, 5, 6):
        voice = Voice()
        speak("今天/天气|明天", voice, seed=seed)
        seeds.append([written["seed"] for written in voice.written])
        assert voice.asked[0]["seed"] == seed
    assert seeds[0] == seeds[1]
    assert len({seed for (seed,) in seeds[0]}) == 3, "each piece has its own"
    assert not {seed for (seed,) in seeds[0]} & {seed for (seed,) in seeds[2]}


def test_an_answer_in_parts_is_the_answer(speak):
    text = "|".join(["今天天气", "明天/后天", "我们去公园", "再见"])
    count = {"count": lambda units, seed: 10 * len(units) + seed % 7}
    whole = speak(text, Voice(**count), seed=9)
    audio, start, parts = [], Place(), 0
    while start is not None:
        told = speak(text, Voice(**count), seed=9, part_seconds=1, start=start)
        audio.append(told.audio)
        start = Place.load(told.events[-1]["resume"]) if "resume" in told.events[-1] else None
        parts += 1
    assert parts > 1
    assert np.concatenate(audio).tolist() == whole.audio.tolist()


def test_what_runs_ahead_is_ended_with_its_part(executor):
    gate, begun = threading.Semaphore(2), threading.Event()
    voice = Voice(gate=lambda: gate.acquire(blocking=False))
    voice.count = lambda units, seed: (len(voice.written) > 1 and begun.set()) or 50
    vocode = voice._hift
    voice._hift = lambda inputs: begun.wait(5) and vocode(inputs)
    told = Told(list(begin("今天天气|明天天气|后天天气", voice, executor, part_seconds=1)))
    assert "resume" in told.events[-1]
    assert voice.running == 0
    assert len(voice.ended) == 1


def test_a_request_that_is_closed_ends_what_is_written(executor):
    gate = threading.Semaphore(1)
    voice = Voice(count=lambda units, seed: 400, gate=lambda: gate.acquire(blocking=False))
    pieces = begin("今天天气" * 10, voice, executor)
    next(pieces)
    pieces.close()
    assert voice.running == 0
    assert voice.ended


@pytest.mark.parametrize("error", [CancelledError, RequestError])
def test_a_request_ends_while_nothing_comes_of_the_language_model(executor, error):
    over = threading.Event()

    def check():
        if over.is_set():
            raise error("it is over")

    voice = Voice(gate=lambda: False)
    pieces = begin("今天天气", voice, executor, check)
    threading.Timer(0.2, over.set).start()
    with pytest.raises(error):
        next(pieces)
    assert voice.running == 0
    assert voice.ended


@pytest.mark.parametrize("least", [0, 8])
def test_a_language_model_that_stops_at_once_is_asked_once_more(speak, least):
    tried = []

    def count(units, seed):
        tried.append(seed)
        return least if len(tried) == 1 else 60

    told = speak("今天天气", Voice(count=count), seed=3)
    assert told.audio.size == 120 * HOP
    assert tried == [derived_seed(3, 0, 0, 0), derived_seed(3, 0, 0, 1)]


def test_one_that_stops_at_once_again_is_an_error_that_says_so(speak):
    voice = Voice(count=lambda units, seed: 2 * len(units))
    with pytest.raises(StageError, match="'zhi' stopped at once at '今天天气': say it otherwise"):
        speak("今天天气", voice)
    assert len(voice.written) == 2


def test_one_that_was_heard_already_is_not_asked_once_more(speak):
    voice = Voice(count=lambda units, seed: 2 * len(units))
    with pytest.raises(StageError, match="stopped at once"):
        speak("今天天气" * 20, voice)
    assert len(voice.written) == 1


def test_one_that_never_stops_is_cut_off_and_that_is_told(speak):
    told = speak("今天天气", Voice(count=lambda units, seed: 10**6, end="length"))
    assert told.audio.size == 2 * 20 * 4 * HOP
    (notice,) = told.all("notices")
    assert (notice["kind"], notice["text"]) == ("length", "今天天气")
    assert "80 tokens" in notice["message"]


def test_a_stage_that_fails_ends_the_request_and_what_is_written(executor):
    voice = Voice(count=lambda units, seed: 300)
    voice.infer = lambda model, inputs, outputs: (
        ({}, "out of memory") if model == "zhi_flow" else Voice.infer(voice, model, inputs, outputs)
    )
    with pytest.raises(StageError, match="zhi_flow: out of memory"):
        list(begin("今天天气今天天气今天天气今天天气|明天", voice, executor))
    assert voice.running == 0


def test_a_voice_is_designed_once_for_a_request(speak):
    voice = Voice()
    speak("今天|明天", voice, style="一位  老人，很慢", attributes={"speed": "很快", "gender": "女性"}, seed=4)
    assert voice.asked == [
        {
            "instruction": "一位 老人，很慢".encode(),
            "attributes": '{"gender": "女性", "speed": "语速很快"}'.encode(),
            "seed": 4,
        }
    ]


@pytest.mark.parametrize(
    ("style", "instruction"), [(None, "一位女性"), ("电台主播", "深夜电台的男主播"), (" 电台主播 ", "深夜电台的男主播")]
)
def test_a_style_is_a_preset_or_the_voices_own(speak, style, instruction):
    voice = Voice()
    speak("今天", voice, style=style)
    assert voice.asked[0]["instruction"].decode() == instruction


def test_an_emotion_is_a_tag_and_wins_over_the_attribute(speak):
    voice = Voice()
    voice.emotion = "happy"
    told = speak("今天|明天", voice, attributes={"emotion": "难过"})
    assert json.loads(voice.asked[0]["attributes"]) == {"emotion": "开心"}
    assert [notice["kind"] for notice in told.all("notices")] == ["style"]


def test_a_neutral_voice_has_no_tag(speak):
    voice = Voice()
    voice.emotion = "neutral"
    told = speak("今天", voice)
    assert json.loads(voice.asked[0]["attributes"]) == {}
    assert told.all("notices") == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"style": "很" * 21}, "21 characters, this voice takes 20"),
        ({"style": "   "}, "style is empty"),
        ({"attributes": {"colour": "红"}}, "'colour' is not known; it must be one of gender, speed, emotion"),
        ({"attributes": {"gender": "中性"}}, "gender '中性' is not known; it must be one of 男性, 女性"),
        ({"attributes": {"speed": "快"}}, "must be one of 语速很快, 语速较快"),
        ({"attributes": {"speed": ""}}, "must be one of 语速很快, 语速较快"),
    ],
)
def test_what_no_voice_can_be_designed_by_is_refused(speak, asked, message):
    with pytest.raises(RequestError, match=message):
        speak("今天", **asked)


def test_what_the_design_stage_refuses_is_refused_so(speak):
    problem = strings('{"code": "INVALID_ARG", "message": "style is not Chinese: describe it in Chinese"}')[None]
    with pytest.raises(RefusedError, match="not Chinese") as caught:
        speak("今天", Voice(bundle={"problem": problem}))
    assert caught.value.code == "INVALID_ARG"


@pytest.mark.parametrize("failures", [1, 3, 50])
def test_a_failure_that_triton_has_cached_does_not_last(speak, failures):
    voice, asked = Voice(), set()
    style = voice._style

    def cached(inputs):
        asked.add(inputs["attributes"][0, 0])
        assert json.loads(inputs["attributes"][0, 0]) == {}
        return style(inputs) if len(asked) > failures or len(inputs["attributes"][0, 0]) > 20 else {}

    voice._style = cached
    assert speak("今天", voice).audio.size


def test_a_design_stage_that_never_answers_is_an_error(speak):
    voice = Voice()
    voice._style = lambda inputs: {}
    with pytest.raises(StageError, match="zhi_style gave no answer"):
        speak("今天", voice)


@pytest.mark.parametrize(
    "bundle",
    [
        {"speech_tokens": np.zeros((1, 0), np.int32), "prompt_mel": np.zeros((1, 0, 80), np.float32)},
        {"prompt_mel": np.zeros((1, 3, 80), np.float32)},
        {"xvector": np.full((1, 192), np.nan, np.float32)},
    ],
)
def test_a_design_that_nothing_can_be_spoken_with_is_an_error(speak, bundle):
    with pytest.raises(StageError, match="zhi_style designed nothing that can be spoken with"):
        speak("今天", Voice(bundle=bundle))


def test_a_paragraph_that_cannot_be_said_is_told(speak):
    voice = Voice()
    front = voice._text_frontend

    def refuse(inputs):
        if "block" in inputs and "no" in json.loads(inputs["block"][0])["text"]:
            return {"problem": strings('{"code": "INVALID_ARG", "message": "nothing to say", "text": true}')}
        return front(inputs)

    voice._text_frontend = refuse
    told = speak("今天|no|明天", voice)
    assert [notice["kind"] for notice in told.all("notices")] == ["skipped"]
    with pytest.raises(TextRefusedError):
        speak("no", voice)


def test_a_language_model_that_was_loaded_anew_writes_on_where_it_was(executor):
    died = []
    voice = Voice(count=lambda units, seed: 120)

    def gate():
        if len(voice.written) == 1 and voice.running and voice.generating[next(iter(voice.generating))].size < 100:
            died.append(voice.generating.popitem())
            raise LookupError("NOT_FOUND: no generation has this key: the model was reloaded")
        return True

    voice.gate = gate
    told = Told(list(begin("今天天气真好", voice, executor)))
    assert told.audio.tolist() == expected(240)
    assert len(died) == 1
    assert voice.written[0] == voice.written[1], "it is asked for the same"


def test_one_that_is_lost_again_is_an_error(executor):
    voice = Voice(gate=lambda: voice.generating.clear() or False)
    with pytest.raises(StageError, match="zhi_lm lost what it was writing, twice"):
        list(begin("今天天气真好", voice, executor))


def test_a_voice_that_does_not_say_how_it_generates_is_told_to_be_exported_again():
    with pytest.raises(UnavailableError, match="'zhi' says not how it generates"):
        Generation.parse({"lm": "lm"}, "zhi")
