"""An emotion asked for, by the request or in the text, reaches the units of what it is asked for."""

from __future__ import annotations

import json

import pytest
from controls import ControlError
from speaking import Ask, Speaking
from text_helpers import sambert_json, sambert_symbols, shelve, voice_json

EMOTIONS = {number: name for name, number in sambert_symbols()["emo_category"].items()}
SPEAKERS = {number: name for name, number in sambert_symbols()["speaker_category"].items()}


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Speaking:
    """A voice with emotions, one with fewer, one with none."""
    shy = sambert_json("shy", emotions=["neutral", "disgust"])
    return Speaking(shelve(tmp_path_factory.mktemp("cast"), sambert_json("moody"), shy, voice_json("demo")))


def spoken(cast: Speaking, text: str, **asked: str) -> list[tuple[str, str, int, str]]:
    """Text, emotion, intensity in per cent and speaker of each clause."""
    out = []
    for block in cast.plan(Ask(text, **{"voice": "moody", **asked})):
        made = cast.block(block, None)
        assert made.units.shape[1] % 16 == 0
        for described, units, (length,) in zip(made.clauses, made.units, made.lengths, strict=True):
            features = units[:length, 4:].tolist()
            *_, (none, _, unchanged) = features
            assert (EMOTIONS[none], unchanged) == ("emotion_none", 100), "the break at the end"
            emotion, speaker, intensity = features[0]
            name = EMOTIONS[emotion].removeprefix("emotion_")
            out.append((json.loads(described)["text"], name, intensity, SPEAKERS[speaker]))
    return out


def notices(cast: Speaking, text: str, **asked: str) -> list[tuple[str, str]]:
    told = [json.loads(block)["notices"] for block in cast.plan(Ask(text, **{"voice": "moody", **asked}))]
    return [(notice["kind"], notice["text"]) for block in told for notice in block]


def ssml(inner: str) -> str:
    return f"<speak>{inner}</speak>"


def test_without_an_emotion_a_voice_speaks_in_its_first_with_its_first_speaker(cast: Speaking) -> None:
    assert spoken(cast, "你好。") == [("你好。", "neutral", 100, "F7")]


def test_the_requests_emotion_is_that_of_the_whole_text_but_where_the_text_has_its_own(cast: Speaking) -> None:
    text = ssml('你好。<emotion category="sad" intensity="0.5">再见。</emotion>走了。')
    assert spoken(cast, text, emotion="happy", speaker="F74") == [
        ("你好。", "happy", 100, "F74"),
        ("再见。", "sad", 50, "F74"),
        ("走了。", "happy", 100, "F74"),
    ]


@pytest.mark.parametrize(
    ("element", "emotion", "intensity"),
    [
        ('<emotion category="happy" intensity="1.0">你好</emotion>', "happy", 100),
        ('<emotion name="happy">你好</emotion>', "happy", 100),
        ('<emotion category="angry" intensity="1.25">你好</emotion>', "angry", 125),
        ('<emotion category="angry" intensity="0">你好</emotion>', "angry", 0),
        ('<mstts:express-as style="sad" styledegree="2">你好</mstts:express-as>', "sad", 200),
        ('<emotion category="sad"><emotion category="fear" intensity=".5">你好</emotion></emotion>', "fear", 50),
    ],
)
def test_every_dialect_of_an_emotion_is_understood(cast: Speaking, element: str, emotion: str, intensity: int) -> None:
    assert spoken(cast, ssml(element)) == [("你好", emotion, intensity, "F7")]
    assert notices(cast, ssml(element)) == []


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        ("中性", "neutral"),
        ("高兴", "happy"),
        ("开心", "happy"),
        ("愤怒", "angry"),
        ("生气", "angry"),
        ("悲伤", "sad"),
        ("难过", "sad"),
        ("害怕", "fear"),
        ("恐惧", "fear"),
        ("厌恶", "hate"),
        ("惊讶", "surprise"),
    ],
)
def test_the_chinese_name_of_an_emotion_is_one_too(cast: Speaking, name: str, emotion: str) -> None:
    assert spoken(cast, "你好", emotion=name) == [("你好", emotion, 100, "F7")]
    assert spoken(cast, ssml(f'<emotion category="{name}">你好</emotion>'))[0][1] == emotion


def test_a_chinese_name_means_what_the_voice_has_of_it(cast: Speaking) -> None:
    assert spoken(cast, "你好", voice="shy", emotion="厌恶")[0][1] == "disgust"


@pytest.mark.parametrize(("asked", "used"), [("2.5", 200), ("-1", 0)])
def test_an_intensity_that_no_voice_has_is_clamped_and_told(cast: Speaking, asked: str, used: int) -> None:
    text = ssml(f'<emotion category="sad" intensity="{asked}">你好</emotion>')
    assert spoken(cast, text)[0][2] == used
    assert notices(cast, text) == [("clamped", f"intensity {asked}")]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("你好", {"emotion": "joy"}),
        ("你好", {"emotion": "Happy"}),
        (ssml('<emotion category="joy">你好</emotion>'), {}),
        (ssml('<voice name="shy"><emotion category="joy">你好</emotion></voice>'), {"voice": "demo"}),
    ],
)
def test_an_emotion_that_the_voice_lacks_is_an_error_that_lists_those_it_has(
    cast: Speaking, text: str, asked: dict[str, str]
) -> None:
    with pytest.raises(ControlError, match="it must be one of neutral, ") as caught:
        cast.plan(Ask(text, **{"voice": "moody", **asked}))
    assert len(str(caught.value)) < 300


def test_a_voice_without_emotions_refuses_the_requests_and_tells_the_texts(cast: Speaking) -> None:
    with pytest.raises(ControlError, match="this voice has only one"):
        cast.plan(Ask("你好", emotion="happy"))
    text = ssml('<emotion category="happy" intensity="9">你好</emotion>')
    assert notices(cast, text, voice="demo") == [("markup", "emotion happy")]


def test_a_text_may_have_voices_of_different_families(cast: Speaking) -> None:
    made = list(map(json.loads, cast.plan(Ask(ssml('你好<voice name="shy">再见</voice>'), voice="demo"))))
    assert [(block["voice"], block["sample_rate"]) for block in made] == [("demo", 24000), ("shy", 16000)]
    shapes = [cast.block(json.dumps(block), None).units.shape for block in made]
    assert [shape[2] for shape in shapes] == [1, 7]


def test_an_ensemble_speaks_each_part_in_its_emotion(cast: Speaking) -> None:
    made = cast.whole(Ask(ssml('你好。<emotion category="sad">再见。</emotion>'), voice="moody"))
    assert [EMOTIONS[row[0, 4]] for row in made.units] == ["emotion_neutral", "emotion_sad"]
    assert made.units.shape[2] == 7


def test_a_clause_says_what_the_later_stages_need(cast: Speaking) -> None:
    (block,) = cast.plan(Ask("你好，再见。", voice="moody"))
    (described,) = map(json.loads, cast.block(block, None).clauses)
    assert (described["frame_lead"], described["frame_tail"], described["frame_bucket"]) == (30, 24, 48)
    assert described["pauses"] == described["vanishing"] == [4, 9]
    assert described["phones"] == ["n", "i2", "h", "ao3", "#3", "z", "ai4", "j", "ian4", "#4"]


def test_a_part_of_a_sentence_ends_without_a_long_silence(cast: Speaking) -> None:
    made = [
        json.loads(clause)
        for block in cast.plan(Ask(ssml('今天<emotion category="sad">天气</emotion>很好。'), voice="moody"))
        for clause in cast.block(block, None).clauses
    ]
    ends = [[len(clause["phones"]) - 1] for clause in made]
    assert [[unit for unit, _ in clause["tight"]] for clause in made] == [ends[0], ends[1], []]
