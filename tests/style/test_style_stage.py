"""What the exported style stage makes of instructions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from style_helpers import NEUTRAL, stated

from export.style.attributes import ATTRIBUTES
from export.style.stage import BUCKET, CHARACTERS, encode

ALONE = 1e-5


@pytest.mark.parametrize(("table", "share"), [("dev", 0.95), ("heldout", 0.9), ("fresh", 0.9)])
def test_what_an_instruction_states_comes_true(read, table, share):
    statements = stated(table)
    wrong = [one for one in statements if not one.holds(read(one.instruction).moved(one.attribute))]
    assert 1 - len(wrong) / len(statements) >= share, wrong


@pytest.mark.parametrize(
    ("pattern", "attribute", "sign"),
    [
        ("语速{}快", "speed", 1),
        ("语速{}慢", "speed", -1),
        ("请{}快地念出来", "speed", 1),
        ("{}慢的语速", "speed", -1),
        ("音调{}高", "pitch", 1),
        ("音调{}低", "pitch", -1),
        ("{}低沉的嗓音", "pitch", -1),
        ("音量{}大", "energy", 1),
        ("声音{}小", "energy", -1),
        ("语调起伏{}大", "contour", 1),
        ("语气{}平淡", "contour", -1),
    ],
)
def test_a_stronger_degree_word_moves_further(read, pattern, attribute, sign):
    moves = [sign * (read(pattern.format(word)).style[attribute] - NEUTRAL[attribute]) for word in ("稍", "很", "极")]
    assert moves[0] > 0
    assert all(less < more for less, more in pairwise(moves)), moves


@pytest.mark.parametrize("word", ["不要太", "别太", "不", "没那么", "别那么", "不是很", "不用太"])
@pytest.mark.parametrize(
    ("pattern", "attribute", "sign"),
    [
        ("{}快", "speed", 1),
        ("语速{}快", "speed", 1),
        ("语速{}慢", "speed", -1),
        ("音调{}高", "pitch", 1),
        ("音量{}大", "energy", 1),
        ("{}大声", "energy", 1),
    ],
)
def test_a_negation_never_asks_for_what_it_negates(read, word, pattern, attribute, sign):
    assert sign * read(pattern.format(word)).moved(attribute) <= 0


@pytest.mark.parametrize(
    ("instruction", "attribute"),
    [
        ("语速很快，语速很慢", "speed"),
        ("说得飞快，但是要慢慢地说", "speed"),
        ("音调很高，音调很低", "pitch"),
        ("声音很大，轻声细语", "energy"),
        ("语调平淡，抑扬顿挫", "contour"),
    ],
)
def test_a_contradiction_is_a_conflict_of_its_attribute_alone(read, instruction, attribute):
    conflict = read(instruction).conflict
    assert conflict[attribute] > 0.5
    assert all(value < 0.5 for name, value in conflict.items() if name != attribute)


@pytest.mark.parametrize(
    "instruction",
    [
        "语速很快，音调很低",
        "幼儿园女教师，语速快一点",
        "不快不慢",
        "不要太快也不要太慢",
        "又慢又轻",
        "极快的语速，飞快地说",
    ],
)
def test_what_does_not_contradict_itself_is_no_conflict(read, instruction):
    assert max(read(instruction).conflict.values()) < 0.5


@pytest.mark.parametrize(
    "instruction", ["不快不慢", "语速适中", "不要太快也不要太慢", "音调不高不低", "音量正常", "语速适中，音量正常"]
)
def test_asking_for_the_usual_is_certain_and_neutral(read, instruction):
    reading = read(instruction)
    assert max(reading.certainty.values()) > 0.7
    assert not any(reading.moved(name) for name in ATTRIBUTES)


@pytest.mark.parametrize(
    "instruction",
    [
        "请",
        "阿斯顿发斯蒂芬",
        "今天股市上涨百分之三",
        "快递员把快递送到了高中门口",
        "大家好，我是小明，今年上大学",
        "北京到上海的高铁票多少钱",
        "sdfkj wer 12 !!",
        "🙂🙃😀",
        "一个二十多岁的女生，普通话标准，吐字清晰",
    ],
)
def test_nonsense_is_neutral_and_uncertain(read, instruction):
    reading = read(instruction)
    assert max(reading.certainty.values()) < 0.3, reading
    assert not any(reading.moved(name) for name in ATTRIBUTES), reading


@pytest.mark.parametrize(
    ("instruction", "attribute", "sign"),
    [
        ("幼儿园女教师", "speed", -1),
        ("幼儿园女教师", "pitch", 1),
        ("新闻播音员", "speed", 1),
        ("老奶奶", "speed", -1),
        ("评书", "contour", 1),
        ("电台主播", "pitch", -1),
        ("机器人", "contour", -1),
        ("激动", "energy", 1),
        ("激动", "speed", 1),
        ("愤怒", "energy", 1),
        ("平静忧伤", "speed", -1),
        ("平静忧伤", "pitch", -1),
        ("神秘低语", "energy", -1),
        ("温柔鼓励", "energy", -1),
    ],
)
def test_personas_and_moods_move_the_voice_but_are_less_certain_than_words(read, instruction, attribute, sign):
    reading = read(f"像{instruction}一样" if instruction in ("机器人", "老奶奶") else instruction)
    assert reading.moved(attribute) == sign
    assert 0.1 < reading.certainty[attribute] < 0.9


def test_what_is_said_outright_outweighs_a_persona(read):
    assert read("老奶奶，语速很快").moved("speed") == 1
    assert read("体育解说员，语速极慢").moved("speed") == -1


def test_traditional_characters_capitals_and_full_width_forms_mean_the_same(graph):
    for one, other in [
        ("语速很慢，声音低沉", "語速很慢，聲音低沉"),
        ("用1.5倍速", "用１．５倍速"),
        ("AI语音", "ai语音"),
    ]:
        for a, b in zip(graph(encode([one])), graph(encode([other])), strict=True):
            np.testing.assert_array_equal(a, b)


ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=40)
PARTS = ["语速", "音调", "很", "不要太", "快", "慢", "高", "大", "声", "，", "温柔", "的"]
WORDS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=40)
TEXTS = st.one_of(ANY_TEXT, WORDS.map("".join))


@settings(max_examples=80, deadline=None)
@given(TEXTS)
def test_any_text_gives_a_style_within_reach(graph, text):
    style, certainty, conflict = (row[0] for row in graph(encode([text])))
    assert np.all(style >= [1 / 1.6 - 1e-4, -3.5, 0.4 - 1e-4, -6])
    assert np.all(style <= [1.6 + 1e-4, 3.5, 1.6 + 1e-4, 6])
    for shares in (certainty, conflict):
        assert np.all((shares >= 0) & (shares <= 1))


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=2, max_size=6), st.integers(0, 3))
def test_neither_company_nor_padding_changes_a_result(graph, texts, more):
    together = np.pad(encode(texts), ((0, 0), (0, more * BUCKET)))
    for number, text in enumerate(texts):
        for row, alone in zip(graph(together), graph(encode([text])), strict=True):
            np.testing.assert_allclose(row[number], alone[0], atol=ALONE)


@pytest.mark.parametrize("length", range(BUCKET, CHARACTERS.maximum + 1, 5 * BUCKET))
def test_every_bucket_is_served(graph, length):
    text = ("今天去公园。" * length)[: length - 5] + "语速很快。"
    assert encode([text]).shape == (1, length)
    style, _, _ = graph(encode([text]))
    assert style[0, 0] > 1.1


def test_code_points_out_of_range_are_unknown(graph):
    for code in (-5, 0x10000, 0x10FFFF, 2**31 - 1):
        style, certainty, _ = graph(np.full((1, BUCKET), code, np.int32))
        np.testing.assert_allclose(style[0], [1, 0, 1, 0], atol=0.02)
        assert certainty.max() < 0.2


def test_too_long_an_instruction_is_refused():
    with pytest.raises(ValueError, match="at most 512"):
        encode(["快" * 513])
