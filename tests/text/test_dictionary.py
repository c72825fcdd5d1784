"""The user's own readings, of a request and of the server."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from dictionary import DictionaryError, DictionaryFile, parse_dictionary
from hypothesis import given
from hypothesis import strategies as st
from mandarin import Span
from speaking import Ask, Speaking
from text_helpers import clauses, notices, sound, words


def found(entries: dict[str, str], text: str, taken: list[Span] | None = None) -> list[str]:
    made = parse_dictionary(json.dumps(entries))
    return [text[span.start : span.end] for span in made.spans(text, taken or [])]


def test_a_word_is_read_as_the_dictionary_says_and_stays_one_word(speaking: Speaking) -> None:
    entries = {"重庆": "chong2 qing4", "AI": "人工智能", "😀": "笑脸"}
    text = "我在重庆学AI😀。"
    assert sound(speaking, text, entries) == sound(speaking, "我在重庆学人工智能笑脸。")
    assert words(speaking, text, entries) == ["我", "在", "重庆", "学", "AI", "😀"]
    assert notices(speaking, text, entries) == []
    assert len(clauses(speaking, text, entries)) == 1


def test_the_tones_of_a_dictionary_change_as_they_do_in_speech(speaking: Speaking) -> None:
    assert sound(speaking, "小米很好", {"小米": "xiao3 mi3"}) == sound(speaking, "小米很好")


def test_the_longest_word_wins_and_none_overlaps() -> None:
    assert found({"重": "x", "重庆": "x", "重庆市": "x", "庆市场": "x"}, "重庆市场和重庆重") == ["重庆市", "重庆", "重"]


def test_latin_words_and_numbers_are_whole() -> None:
    assert found({"AI": "x", "5": "x"}, "AI和RAIN，AIs，AI5，15，5G") == ["AI", "AI", "5", "5"]


def test_what_has_a_reading_already_keeps_it(speaking: Speaking) -> None:
    text = '<speak><sub alias="北京">重庆</sub>和重庆</speak>'
    assert sound(speaking, text, {"重庆": "chong2 qing4"}) == sound(speaking, "北京和重庆")


def test_a_sentence_does_not_end_within_a_word(speaking: Speaking) -> None:
    assert len(clauses(speaking, "我用Yahoo!搜索。", {"Yahoo!": "雅虎"})) == 1


@given(
    st.text(alphabet="天地AI5 。", max_size=30),
    st.dictionaries(st.text("天地AI5", min_size=1, max_size=4), st.just("x")),
)
def test_words_are_found_in_order_and_apart_and_spelled_as_they_are(text: str, entries: dict[str, str]) -> None:
    spans = parse_dictionary(json.dumps(entries)).spans(text)
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    assert all(text[span.start : span.end] in entries for span in spans)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "JSON object"),
        ("{", "not JSON"),
        ("[" * 20000, "not JSON"),
        ('{"重庆": 5}', 'entry "重庆"'),
        ('{"重庆": ""}', 'entry "重庆"'),
        ('{"": "a"}', "1 to 64 printable"),
        ('{" 重庆": "a"}', "no blanks"),
        ('{"重庆": "chong2 qing6"}', "'qing6' is no pinyin"),
        ('{"重庆": "chogn2 qing4"}', "entry \"重庆\": 'chogn2' is no pinyin"),
        ('{"重\\n庆": "x"}', r'entry "重\\n庆": the word'),
        (json.dumps({"字" * 65: "a"}), "1 to 64"),
        (json.dumps({"字": "a" * 257}), "1 to 256"),
        (json.dumps({str(i): "a" for i in range(1001)}), "1001 entries, the most is 1000"),
    ],
)
def test_a_wrong_dictionary_is_refused_and_says_which_entry(speaking: Speaking, text: str, message: str) -> None:
    with pytest.raises(DictionaryError, match=message) as caught:
        speaking.plan(Ask("你好", dictionary=text))
    assert "\n" not in str(caught.value)


def test_the_servers_dictionary_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "dictionary.json"
    file = DictionaryFile(path)

    def now() -> tuple[list[str], list[str]]:
        made, told = file.get()
        return [span.value for span in made.spans("重庆")], [notice.kind for notice in told]

    assert now() == ([], [])
    path.write_text('{"重庆": "chong2 qing4"}', encoding="utf-8")
    assert now() == (["chong2 qing4"], [])
    path.write_text('{"重庆": "山城"', encoding="utf-8")
    assert now() == ([], ["dictionary"])
    path.write_text('{"重庆": "山城", "坏": "huai9"}', encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert now() == (["山城"], ["dictionary"]), "the entries that are right are used"
    path.unlink()
    assert now() == ([], [])


def test_a_requests_dictionary_wins_over_the_servers(voices: Path, tmp_path: Path) -> None:
    path = tmp_path / "dictionary.json"
    path.write_text('{"重庆": "山城", "上海": "申城", "坏": 1}', encoding="utf-8")
    speaking = Speaking(voices, path)
    (block,) = map(json.loads, speaking.plan(Ask("重庆和上海", dictionary='{"重庆": "渝"}')))
    assert [span[3] for span in block["spans"]] == ["渝", "申城"]
    assert [notice["kind"] for notice in block["notices"]] == ["dictionary"]
