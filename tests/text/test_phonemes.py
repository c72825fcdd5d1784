"""A text as pinyin: what is told of it, and the pinyin back as the same units."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mandarin import Frontend, TextError
from markup import MarkupError
from speaking import Ask, Speaking
from text_helpers import notices, sambert_json, sculptor_json, shelve, sound, table, voice_json
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers_read import FILE_NAME

from client import InvalidRequest, Request
from client._phonemes import Reading, ReadWord, as_ssml, parse_phonemes, reading

TEXTS = [
    "今天天气真好。",
    "我在重庆银行排了一行队，行长还没来得及还钱呢！",
    "小孩儿在花园里玩儿，女儿没去。",
    "2024年3月5日，气温25℃，涨了12.5%，电话010-65529988。",
    "我用iPhone和ChatGPT学Python，WiFi不好。",
    "一个不得了的老李想买五把雨伞，你看看好不好？",
    "他说：“不，我不去……”——然后走了；真的！\n第二段、第三段",
    "[重庆](chong2 qing4)很远[pause:0.5s]是吧[pause:200ms]",
    "<speak><p><s>你好</s><s>再见</s></p>好 了<break time='300ms'/><sub alias='世界卫生组织'>WHO</sub></speak>",
    "3个人 两 只 猫 和5位同志在一起",
    "😀你好★😀",
]
PIECES = [*"一不的了着地得还行长重为种数三上下不儿女小老好雨伞五百", *"，。！？、；：…— \n“”（）", "玩儿", "一会儿"]
PIECES += [
    "今天",
    "天气",
    "银行",
    "重庆",
    "展览馆",
    "12",
    "3.5%",
    "2024年",
    "5个",
    "GPT-4",
    " hello ",
    "WiFi",
    "A",
    "看看",
]
GENERATED = st.lists(st.sampled_from([*PIECES, *(text for text, _ in table("readings.tsv"))]), max_size=12).map("".join)


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory, frontend: Frontend) -> Speaking:
    """Voices of all three families."""
    folder = shelve(
        tmp_path_factory.mktemp("families"),
        voice_json("demo", max_units=400),
        sambert_json("bert", max_units=400),
        sculptor_json("zhi"),
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator([], trainer)
    tokenizer.save(str(folder / "zhi" / FILE_NAME))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("speaking.Frontend", lambda: frontend)
        return Speaking(folder)


def read(speaking: Speaking, text: str, voice: str = "demo") -> Reading:
    """What the client gets, with the front end in this process."""
    plan = reading(Request(text, voice))
    call = next(plan)
    try:
        while True:
            output, inputs = call.arguments
            if output == "plan":
                answer = speaking.plan(Ask(inputs["TEXT"], voice=inputs["VOICE"]))
            else:
                answer = [speaking.reading(inputs["block"])]
            call = plan.send(answer)
    except StopIteration as end:
        return end.value


def units(speaking: Speaking, text: str, voice: str) -> list[tuple[list[list[int]], float]]:
    """The clauses of a text: their units, and the pause after each; a silence is one without units."""
    made: list[tuple[list[list[int]], float]] = []
    for block in speaking.plan(Ask(text, voice=voice)):
        about = json.loads(block)
        if "silence" in about:
            made.append(([], about["silence"]))
            continue
        try:
            batch = speaking.block(block, None)
        except TextError:
            continue
        for row, length, clause in zip(batch.units, batch.lengths, batch.clauses, strict=True):
            made.append((row[: length[0]].tolist(), json.loads(clause)["pause"]))
    return made


@pytest.mark.parametrize("voice", ["demo", "bert"])
@pytest.mark.parametrize("text", TEXTS)
def test_pinyin_and_words_of_a_text_make_its_units_again(speaking: Speaking, text: str, voice: str) -> None:
    found = read(speaking, text, voice)
    expected = units(speaking, text, voice)
    assert units(speaking, found.ssml, voice) == expected
    assert units(speaking, as_ssml(parse_phonemes(found.phonemes)), voice) == expected


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=GENERATED, voice=st.sampled_from(["demo", "bert"]))
def test_any_chinese_text_comes_back_from_its_pinyin(speaking: Speaking, text: str, voice: str) -> None:
    try:
        expected = units(speaking, text, voice)
    except TextError:
        assume(False)
    found = read(speaking, text, voice)
    assert units(speaking, found.ssml, voice) == expected
    assert units(speaking, as_ssml(parse_phonemes(found.phonemes)), voice) == expected


def test_a_reading_tells_each_word_as_it_sounds(speaking: Speaking) -> None:
    found = read(speaking, "2024年我很好，玩儿吧。")
    assert found.voice == "demo"
    assert found.phonemes == "er4 ling2 er4 si4 nian2 #1 wo3 #1 hen2 #0 hao3， wanr2 #0 ba5。"
    year, *_, play, particle = found.words
    assert year == ReadWord("2024年", "er4 ling2 er4 si4 nian2", "二零二四年", year.units, 1)
    assert year.units[:2] == ("^", "er4")
    assert play.units == ("^", "uan2", "er5")
    assert (particle.text, particle.ending, particle.marks) == ("吧", 4, "。")


def test_the_units_told_are_the_voices_own(speaking: Speaking) -> None:
    assert read(speaking, "一", "demo").words[0].units == ("^", "i1")
    assert read(speaking, "一", "bert").words[0].units == ("y", "i1")


def test_what_cannot_be_said_is_told_with_the_reading(speaking: Speaking) -> None:
    found = read(speaking, "你好😀。[pause:1s]😀")
    assert [(notice.kind, notice.text) for notice in found.notices] == [("skipped", "😀"), ("skipped", "😀")]
    assert found.phonemes == "ni2 hao3。 [pause:1s]"


def test_a_voice_that_reads_characters_has_no_pinyin_but_what_it_reads(speaking: Speaking) -> None:
    found = read(speaking, "2024年好。", "zhi")
    assert [(word.said, word.pinyin, word.units) for word in found.words] == [("二零二四年", "", ()), ("好", "", ())]
    assert found.phonemes == found.ssml == ""


def test_pinyin_written_by_hand_is_spoken(speaking: Speaking) -> None:
    assert parse_phonemes("ni3 hao3 #1\nshi4 jie4。 [pause:0.5s]") == [
        ReadWord("ni3 hao3", "ni3 hao3", ending=1, marks="\n"),
        ReadWord("shi4 jie4", "shi4 jie4", marks="。[pause:0.5s]"),
    ]
    assert sound(speaking, as_ssml(parse_phonemes("ni3hao3"))) == "n i3 h ao3"
    assert (
        as_ssml([ReadWord("A<B", "ei1"), ReadWord("和&")]) == '<speak><phoneme ph="ei1">A&lt;B</phoneme>和&amp;</speak>'
    )


@pytest.mark.parametrize(
    ("phonemes", "wrong"),
    [
        ("ni3 好", "'好' at character 5"),
        ("ni", "'ni' at character 1"),
        ("ni3 #3", "'#3' at character 5"),
        ("ni6", "'ni6'"),
        ("<break/>", "'<break/>'"),
        ("[重庆](chong2 qing4)", "'[重庆](chong2 '"),
        ("，。", "no syllable"),
        ("", "no syllable"),
    ],
)
def test_what_is_no_pinyin_is_refused_with_its_place(phonemes: str, wrong: str) -> None:
    with pytest.raises(InvalidRequest, match="write pinyin with tone digits") as caught:
        parse_phonemes(phonemes)
    assert wrong in str(caught.value)


def test_a_syllable_that_there_is_not_is_refused_by_the_front_end(speaking: Speaking) -> None:
    with pytest.raises(MarkupError, match="ph 'chogn2 qing4' must be pinyin"):
        speaking.plan(Ask(as_ssml(parse_phonemes("chogn2 qing4"))))


def test_a_break_may_be_given_after_a_reading(speaking: Speaking) -> None:
    def phones(text: str) -> list[str]:
        return [phone for ids, _ in units(speaking, text, "bert") for phone in map(tuple, ids)]

    plain = phones("[今天](jin1 tian1)[好](hao3)")
    assert phones("[今天](jin1 tian1 #1)[好](hao3)") == plain
    assert phones('<speak><phoneme ph="jin1 tian1 #1">今天</phoneme>[好](hao3)</speak>') == plain
    joined, phrase = phones("[今天](jin1 tian1 #0)[好](hao3)"), phones("[今天](jin1 tian1 #2)[好](hao3)")
    assert len(joined) == len(plain) - 1, "words of one prosodic word have no break between them"
    assert len(phrase) == len(plain)
    assert phrase != plain


def test_a_break_that_there_is_not_makes_a_form_text(speaking: Speaking) -> None:
    assert sound(speaking, "[好](hao3 #4)") != sound(speaking, "[好](hao3)")
    with pytest.raises(MarkupError, match="at most a break behind them, #0 to #2"):
        speaking.plan(Ask('<speak><phoneme ph="hao3 #4">好</phoneme></speak>'))


def test_a_er_with_a_reading_of_its_own_colours_nothing(speaking: Speaking) -> None:
    assert sound(speaking, "[花](hua1)[儿](er2)") == "h ua1 ^ er2"
    assert notices(speaking, "[花](hua1)[儿](er2)") == []
