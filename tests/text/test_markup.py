"""What each piece of text control does."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from controls import ControlError
from speaking import Ask, Speaking
from text_helpers import blocks, clauses, notices, shelve, sound, voice_json, words


def ssml(inner: str) -> str:
    return f'<speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="zh-CN">{inner}</speak>'


def shifts(speaking: Speaking, inner: str) -> list[tuple[str, dict[str, float]]]:
    made = blocks(speaking, ssml(inner))
    return [(block["text"], block["manner"]["shift"]) for block in made if "silence" not in block]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("你好[pause:0.5s]世界", 0.5),
        ("你好[pause:500ms]世界", 0.5),
        (ssml('你好<break time="0.5s"/>世界'), 0.5),
        (ssml('你好<break time="250ms"/>世界'), 0.25),
        (ssml('你好<break time="+1s"/>世界'), 1.0),
        (ssml('你好<break strength="none"/>世界'), 0.0),
        (ssml('你好<break strength="x-strong"/>世界'), 1.0),
        (ssml("你好<break/>世界"), 0.35),
        (ssml("你好[pause:0.5s]世界"), 0.5),
    ],
)
def test_a_break_stands_between_what_is_before_and_after_it(speaking: Speaking, text: str, seconds: float) -> None:
    before, silence, after = blocks(speaking, text)
    assert (before["text"], silence["silence"], after["text"]) == ("你好", seconds, "世界")


def test_breaks_stand_at_both_ends_and_behind_each_other(speaking: Speaking) -> None:
    made = blocks(speaking, "[pause:1s][pause:2s]你好。[pause:3s]")
    assert [block.get("silence") for block in made] == [1.0, 2.0, None, 3.0]


def test_a_break_takes_the_place_of_the_pause_in_an_ensemble(speaking: Speaking) -> None:
    made = speaking.whole(Ask("[pause:1s]你好。[pause:2s]世界。[pause:3s]"))
    first, second = map(json.loads, made.clauses)
    assert (first["lead"]["seconds"], first["trail"]) == (1.0, None)
    assert (second["lead"]["seconds"], second["trail"]["seconds"]) == (2.0, 3.0)


@pytest.mark.parametrize(
    "text", ["[重庆](chong2 qing4)很好", ssml('<phoneme alphabet="pinyin" ph="chong2 qing4">重庆</phoneme>很好')]
)
def test_a_reading_is_spoken_and_the_word_stays_what_it_was(speaking: Speaking, text: str) -> None:
    assert sound(speaking, text) == "ch ong2 q ing4 h en2 h ao3"
    assert words(speaking, text)[0] == "重庆"


def test_a_reading_is_exact_and_its_neighbours_heed_it(speaking: Speaking) -> None:
    assert sound(speaking, "我[小米](xiao3 mi3)好") == "^ uo2 x iao3 m i3 h ao3"
    assert sound(speaking, "[一](yi1)定[不](bu4)是") == "^ i1 d ing4 b u4 sh iii4"
    assert sound(speaking, "[花儿](hua1 er2)[玩儿](wanr2)") == "h ua1 ^ er2 ^ uan2 er5"


def test_a_substitute_is_spoken_and_the_written_word_is_told(speaking: Speaking) -> None:
    text = ssml('<sub alias="世界卫生组织">WHO</sub>成立于<sub alias="1948年">当年</sub>。')
    assert words(speaking, text) == ["WHO", "成立", "于", "当年"]
    assert sound(speaking, text) == sound(speaking, "世界卫生组织成立于1948年。")
    assert len(clauses(speaking, text)) == 1, "it does not split the sentence"


@pytest.mark.parametrize(
    ("kind", "text", "spoken"),
    [
        ("cardinal", "1,234", "一千二百三十四"),
        ("cardinal", "-12.5", "负十二点五"),
        ("number", "007", "七"),
        ("ordinal", "3", "第三"),
        ("digits", "2024", "二零二四"),
        ("number_digit", "12-34", "一二三四"),
        ("telephone", "13812345678", "幺三八幺二三四五六七八"),
        ("telephone", "(010) 6552-9988", "零幺零六五五二九九八八"),
        ("telephone", "+86 138 1234 5678", "加八六幺三八幺二三四五六七八"),
        ("characters", "A1中", "ei1 一中"),
        ("spell-out", "12", "一二"),
        ("date", "2024-03-05", "二零二四年三月五日"),
        ("date", "20240305", "二零二四年三月五日"),
        ("date", "3/5/2024", "二零二四年三月五日"),
        ("date", "25.12.2024", "二零二四年十二月二十五日"),
        ("date", "2024年3月", "二零二四年三月"),
        ("date", "3-5", "三月五日"),
        ("time", "12:30", "十二点三十分"),
        ("time", "8:05:09", "八点零五分零九秒"),
        ("time", "9:30am", "上午九点三十分"),
        ("currency", "￥12.50", "十二点五元"),
        ("currency", "$3", "三美元"),
        ("currency", "12", "十二元"),
        ("currency", "2 元", "两元"),
    ],
)
def test_what_is_said_to_be_something_is_read_as_that(speaking: Speaking, kind: str, text: str, spoken: str) -> None:
    read = sound(speaking, ssml(f'<say-as interpret-as="{kind}">{text}</say-as>。'))
    expected = sound(speaking, "[A](ei1)一中。") if spoken.startswith("ei1") else sound(speaking, f"{spoken}。")
    assert read.translate(TONELESS) == expected.translate(TONELESS)
    assert notices(speaking, ssml(f'<say-as interpret-as="{kind}">{text}</say-as>。')) == []


# Sandhi differs where a number is cut into words.
TONELESS = str.maketrans("", "", "12345")


def test_a_date_may_say_its_order(speaking: Speaking) -> None:
    text = ssml('<say-as interpret-as="date" format="dmy">3/5/2024</say-as>')
    assert sound(speaking, text) == sound(speaking, "二零二四年五月三日")
    assert words(speaking, text) == ["3/5/2024"]


@pytest.mark.parametrize("kind", ["date", "time", "digits", "telephone", "currency", "cardinal", "ordinal"])
def test_what_is_not_what_it_is_said_to_be_is_read_as_it_stands_and_told(speaking: Speaking, kind: str) -> None:
    text = ssml(f'<say-as interpret-as="{kind}">你好</say-as>')
    assert sound(speaking, text) == sound(speaking, "你好")
    assert notices(speaking, text) == [("markup", "你好")]


@pytest.mark.parametrize(
    ("attributes", "control", "value"),
    [
        ('rate="x-slow"', "speed", 0.6),
        ('rate="fast"', "speed", 1.25),
        ('rate="80%"', "speed", 0.8),
        ('rate="+20%"', "speed", 1.2),
        ('rate="-20%"', "speed", 0.8),
        ('rate="1.5"', "speed", 1.5),
        ('pitch="+2st"', "pitch", 2.0),
        ('pitch="-1.5 semitones"', "pitch", -1.5),
        ('pitch="+10%"', "pitch", 12 * math.log2(1.1)),
        ('pitch="x-high"', "pitch", 3.0),
        ('range="low"', "contour", 0.6),
        ('range="+50%"', "contour", 1.5),
        ('volume="loud"', "energy", 3.0),
        ('volume="-3dB"', "energy", -3.0),
        ('volume="50"', "energy", 20 * math.log10(0.5)),
        ('volume="+20%"', "energy", 20 * math.log10(1.2)),
        ('volume="silent"', "energy", -96.0),
    ],
)
def test_prosody_changes_its_control(speaking: Speaking, attributes: str, control: str, value: float) -> None:
    natural = {"speed": 1.0, "pitch": 0.0, "contour": 1.0, "energy": 0.0}
    ((_, shift),) = shifts(speaking, f"<prosody {attributes}>你好</prosody>")
    assert shift == pytest.approx(natural | {control: value})


def test_prosody_is_nested_and_ends_with_its_element(speaking: Speaking) -> None:
    inner = (
        '一<prosody rate="1.2" pitch="+1st">二<prosody rate="50%" volume="+2dB" pitch="+1st">三</prosody>四</prosody>五'
    )
    made = [(text, s["speed"], s["pitch"], s["energy"]) for text, s in shifts(speaking, inner)]
    assert made == [("一", 1, 0, 0), ("二", 1.2, 1, 0), ("三", 0.6, 2, 2), ("四", 1.2, 1, 0), ("五", 1, 0, 0)]


def test_prosody_comes_on_top_of_what_the_request_asks_for(speaking: Speaking) -> None:
    asked = Ask(ssml('<prosody rate="120%" pitch="+9st">你好</prosody>'), controls={"speed": 1.25, "pitch": 1.0})
    (block,) = speaking.plan(asked)
    made = speaking.block(block, None)
    limits = speaking.voice("demo").limits
    assert made.controls["speed"][0, 0] == pytest.approx(1.5)
    assert made.controls["pitch"][0, 0] == pytest.approx(limits["pitch"][1])
    assert '"clamped", "text": "pitch 10"' in made.clauses[0]


def test_punctuation_goes_with_the_words_before_it(speaking: Speaking) -> None:
    assert [text for text, _ in shifts(speaking, '他说<prosody rate="slow">你好</prosody>。再见')] == [
        "他说",
        "你好。",
        "再见",
    ]


def test_paragraphs_and_sentences_end_without_punctuation(speaking: Speaking) -> None:
    first, second, third = clauses(speaking, ssml("<p><s>你好</s><s>世界</s></p><p>再见</p>"))
    assert [first["text"], second["text"], third["text"]] == ["你好", "世界", "再见"]
    assert 0.0 < first["pause"] < second["pause"]


def test_blanks_of_the_layout_are_not_heard(speaking: Speaking) -> None:
    plain = "今天天气真好，我们去公园散步吧。"
    (clause,) = clauses(speaking, ssml("\n  今天天气\n   真好，\n\t我们去公园散步吧。\n"))
    assert clause["text"] == plain
    assert sound(speaking, ssml("今天天气\n真好")) == sound(speaking, "今天天气真好")
    assert words(speaking, ssml("GPT\n 4")) == ["GPT", "4"]


def test_a_dialogue_is_one_request(speaking: Speaking) -> None:
    made = blocks(speaking, ssml('<voice name="demo">你好</voice><voice name="demo" >再见</voice>他走了。'))
    assert {block["voice"] for block in made} == {"demo"}
    assert sum(block["characters"] for block in made) == len(
        ssml('<voice name="demo">你好</voice><voice name="demo" >再见</voice>他走了。')
    )


def test_an_emotion_that_the_voice_lacks_is_told_and_left_out(speaking: Speaking) -> None:
    for element in ('<emotion name="happy">你好</emotion>', '<mstts:express-as style="happy">你好</mstts:express-as>'):
        (block,) = blocks(speaking, ssml(element))
        assert block["manner"]["emotion"] is None
        assert notices(speaking, ssml(element)) == [("markup", "emotion happy")]


def test_marks_are_named_where_they_stand(speaking: Speaking) -> None:
    text = ssml('<mark name="a"/>天气<mark name="b"/>预报<mark name="c"/>好。<mark name="d"/>')
    (clause,) = clauses(speaking, text)
    assert blocks(speaking, text)[-1]["marks"] == ["d"], "the end is behind all blocks of speech"
    units = dict(clause["marks"])
    (whole, first, _), (_, good, _) = clause["words"]
    assert whole == "天气预报"
    assert units["a"] == first
    assert clause["phones"][units["b"] : units["b"] + 2] == ["^", "v4"], "in the middle of a word"
    assert units["c"] == good


def test_a_mark_before_a_break_is_at_its_start_and_one_behind_it_at_its_end(speaking: Speaking) -> None:
    first, silence, second, end = blocks(
        speaking, ssml('你好<mark name="a"/><break time="1s"/><mark name="b"/>世界<break time="1s"/><mark name="c"/>')
    )[:4]
    assert (first["places"], silence["marks"], second["places"]) == ([], ["a"], [["b", 0]])
    assert end["silence"] == 1.0
    last = blocks(speaking, ssml('世界<break time="1s"/><mark name="c"/>'))[-1]
    assert (last["silence"], last["marks"]) == (0.0, ["c"])


@pytest.mark.parametrize(
    ("inner", "subject"),
    [
        ("<emphasis>你好</emphasis>", "<emphasis>"),
        ("<lang xml:lang='en'>你好</lang>", "<lang>"),
        ("<w>你好</w>", "<w>"),
        ("<audio src='x'>你好</audio>", "<audio>"),
        ("<x:anything>你好</x:anything>", "<anything>"),
        ("<prosody contour='(0%,+20Hz)'>你好</prosody>", "<prosody contour>"),
        ("<prosody pitch='+20Hz'>你好</prosody>", "pitch +20Hz"),
        ("<phoneme alphabet='ipa' ph='x'>你好</phoneme>", "alphabet ipa"),
        ("<say-as interpret-as='address'>你好</say-as>", "interpret-as address"),
        ("<s foo='1'>你好</s>", "<s foo>"),
        ("<metadata>秘密</metadata>你好", "<metadata>"),
    ],
)
def test_what_is_not_honoured_is_read_and_told(speaking: Speaking, inner: str, subject: str) -> None:
    assert sound(speaking, ssml(inner)) == sound(speaking, "你好")
    assert notices(speaking, ssml(inner)) == [("markup", subject)]


@pytest.mark.parametrize(
    "text",
    [
        "[a](b)你好",
        "见[图1](fig1)",
        "[链接](https://example.com)",
        "[pause]好",
        "[pause:1]好",
        "[pause: 1s]好",
        "[](ni3)好",
        "1 < 2，<b>好",
        "说 <speak>你好</speak>",
        "<speaker>你好",
    ],
)
def test_what_is_not_exactly_control_is_text(speaking: Speaking, text: str) -> None:
    (block,) = blocks(speaking, text)
    assert block["text"] == text
    assert block["spans"] == []


def test_a_short_form_with_a_wrong_syllable_is_text_and_told(speaking: Speaking) -> None:
    text = "去[重庆](chogn2 qing4)吧"
    assert blocks(speaking, text)[0]["text"] == text
    assert ("markup", "[重庆](chogn2 qing4)") in notices(speaking, text)


def test_a_part_that_cannot_be_said_is_told_and_the_others_are_spoken(speaking: Speaking) -> None:
    made = speaking.whole(Ask(ssml("你好<break/>😀<break/>世界")))
    assert len(made.clauses) == 2
    assert '"kind": "skipped"' in made.clauses[1]


def test_a_sentence_flows_on_through_a_change_of_manner_and_a_break_is_no_longer_than_asked(speaking: Speaking) -> None:
    inner = '今天<prosody rate="fast">天气</prosody>很好。<prosody rate="fast">你好，</prosody>“再见<break/>”好。'
    made = clauses(speaking, ssml(f'{inner}<mark name="end"/>'))
    tight = [[unit == 0 for unit, _ in clause["tight"]] for clause in made]
    start, end = True, False
    assert tight == [[end], [start, end], [start], [], [end], [start]]


def test_references_comments_and_cdata_are_what_xml_says(speaking: Speaking) -> None:
    inner = "&#x4F60;&#22909;<!-- 注释 --><![CDATA[<世界>]]>&amp;&lt;"
    (block,) = blocks(speaking, ssml(inner))
    assert block["text"] == "你好<世界>&<"


@pytest.fixture
def company(tmp_path: Path) -> Speaking:
    """Two more voices: one with speakers and emotions, one without."""
    choir = voice_json("choir", speakers=["F7", "M1"], emotions=["happy"])
    return Speaking(shelve(tmp_path, voice_json("demo"), choir, voice_json("solo")))


def test_a_dialogue_has_each_part_in_its_voice(company: Speaking) -> None:
    text = ssml(
        '旁白<voice name="choir" speaker="F7">你好<emotion name="happy">真好</emotion></voice>'
        '<voice name="solo">再见</voice><voice name="choir">走了</voice>'
    )
    made = [json.loads(block) for block in company.plan(Ask(text))]
    parts = [(b["voice"], b["manner"]["speaker"], b["manner"]["emotion"], b["text"].strip("\u2028")) for b in made]
    assert parts == [
        ("demo", None, None, "旁白"),
        ("choir", "F7", None, "你好"),
        ("choir", "F7", "happy", "真好"),
        ("solo", None, None, "再见"),
        ("choir", None, None, "走了"),
    ]
    assert not any(block["notices"] for block in made)
    assert [block["flows"] for block in made] == [
        [False, False],
        [False, True],
        [True, False],
        [False] * 2,
        [False] * 2,
    ]


def test_the_requests_speaker_is_that_of_its_own_voice(company: Speaking) -> None:
    asked = Ask(ssml('你好<voice name="solo">再见</voice>'), voice="choir", speaker="M1", emotion="happy")
    first, second = map(json.loads, company.plan(asked))
    assert (first["manner"]["speaker"], first["manner"]["emotion"]) == ("M1", "happy")
    assert (second["manner"]["speaker"], second["manner"]["emotion"]) == (None, None)
    assert [notice["text"] for notice in first["notices"]] == ["emotion happy"], "solo has none"


def test_an_ensemble_has_one_voice(company: Speaking) -> None:
    with pytest.raises(ControlError, match="demo, solo: send it to the model `tts`"):
        company.whole(Ask(ssml('你好<voice name="solo">再见</voice>')))
    assert company.whole(Ask(ssml('<voice name="solo">再见</voice>'))).clauses


def test_a_speaker_that_a_voice_lacks_is_refused(company: Speaking) -> None:
    with pytest.raises(ControlError, match="F7, M1"):
        company.plan(Ask(ssml('<voice name="choir" speaker="X">你好</voice>')))


def test_notices_about_markup_are_few_and_short(speaking: Speaking) -> None:
    told = notices(speaking, ssml("".join(f"<x{i}/>" for i in range(300)) + f"<{'y' * 500}/>你好"))
    assert len(told) == 101
    assert max(len(subject) for _, subject in told) <= 80
