"""What a request may ask of a designer, and how it is refused."""

from __future__ import annotations

import json

import pytest
from design_errors import RefusedDesignError
from design_request import Design, chosen, clean, parse
from hypothesis import given, settings
from hypothesis import strategies as st

TABLES = {"gender": ("男性", "女性"), "speed": ("语速很快", "语速很慢"), "emotion": ("开心", "生气")}


@pytest.mark.parametrize(
    ("asked", "one_form"),
    [
        ("  年轻女性,\n声音 清亮  ", "年轻女性，声音 清亮"),
        ("年轻女性，声音清亮", "年轻女性，声音清亮"),
        ("老\u200b人\x00\x1b[31m，声音\u202e低\ufeff沉", "老人[31m，声音低沉"),
        ("１０:30播音,速度1,5倍", "10:30播音，速度1,5倍"),
        ("ＡＳＭＲ(耳语)!", "ASMR（耳语）！"),
        ("一位老人, Mr. Li, 声音低沉", "一位老人，Mr. Li，声音低沉"),
        ("⼥声", "女声"),
    ],
)
def test_an_instruction_has_one_form(asked: str, one_form: str) -> None:
    assert clean(asked, 200) == one_form


@given(st.text(max_size=40) | st.text(alphabet="声0a ,()!\n", max_size=12))
@settings(deadline=None)
def test_the_one_form_stays_as_it_is_and_has_nothing_invisible(text: str) -> None:
    once = clean("声" + text, 400)
    assert clean(once, 400) == once
    assert once.isprintable()


def test_an_instruction_may_have_as_many_characters_as_the_bound() -> None:
    assert clean("低" * 200, 200) == "低" * 200
    with pytest.raises(RefusedDesignError, match="has 201 characters, the most is 200: describe it shorter"):
        clean("低" * 201, 200)


def test_characters_are_counted_after_folding() -> None:
    assert clean("低 \n\t " * 100, 200) == " ".join("低" * 100)


@pytest.mark.parametrize("asked", ["", " \n", "\u200b\x00"])
def test_an_empty_instruction_is_refused(asked: str) -> None:
    with pytest.raises(RefusedDesignError, match="the instruction is empty: describe the voice"):
        clean(asked, 200)


@pytest.mark.parametrize("asked", ["a young woman", "かわいいこえ", "목소리", "<|endofprompt|>", "123", "，。"])
def test_an_instruction_in_another_language_is_refused(asked: str) -> None:
    with pytest.raises(RefusedDesignError, match="has no Chinese character: this voice understands Chinese only"):
        clean(asked, 200)


def test_tags_are_in_the_order_of_the_tables() -> None:
    assert chosen('{"emotion": "开心", "gender": "女性"}', TABLES) == ("女性", "开心")
    assert chosen("{}", TABLES) == chosen("", TABLES) == ()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ('{"genre": "女性"}', "there is no attribute 'genre': it must be one of gender, speed, emotion"),
        ('{"gender": "开心"}', "the attribute gender cannot be '开心': it must be one of 男性, 女性"),
        ('{"gender": "<|女性|>"}', "the attribute gender cannot be '<|女性|>'"),
        ('{"gender": ["女性"]}', "the attribute gender cannot be"),
        ('{"gender": null}', "the attribute gender cannot be 'None'"),
        ('["gender"]', "the attributes are no JSON object"),
        ("{gender: 女性}", "the attributes are no JSON object"),
        ("[" * 100_000, "the attributes are no JSON object"),
    ],
)
def test_attributes_outside_the_tables_are_refused(attributes: str, message: str) -> None:
    with pytest.raises(RefusedDesignError) as refusal:
        chosen(attributes, TABLES)
    assert message in str(refusal.value)


def test_a_request_becomes_a_design() -> None:
    attributes = json.dumps({"speed": "语速很慢"}).encode()
    design = parse("老人,声音低沉".encode(), attributes, 7, TABLES, 200)
    assert design == Design("老人，声音低沉", ("语速很慢",), 7)


@pytest.mark.parametrize("inputs", [(b"\xff", b"{}"), ("老人".encode(), b"\xff")])
def test_bytes_that_are_no_text_are_refused(inputs: tuple[bytes, bytes]) -> None:
    with pytest.raises(RefusedDesignError, match="is not valid UTF-8"):
        parse(*inputs, 7, TABLES, 200)
