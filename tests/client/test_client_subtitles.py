"""Subtitles are in order, do not overlap, fit, and hold the text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client import Clause, ProtocolError, Speech, Word
from client.subtitles import MAX_WIDTH, cues, srt, width

BLOCK = re.compile(r"(\d+)\n(\d\d+):(\d\d):(\d\d),(\d{3}) --> (\d\d+):(\d\d):(\d\d),(\d{3})\n([^\n]+)\n")
TEXTS = st.text(st.sampled_from("今天气真好很一二三，。、：“”（）abc 12 -\n😀"), max_size=80)


def clause_of(text: str, sizes: list[int], start: float = 0.0, pace: float = 0.2) -> Clause:
    """A clause whose words are cut from ``text`` at ``sizes``; punctuation is in no word."""
    words = []
    at, now = 0, start
    for size in sizes:
        word = "".join(char for char in text[at : at + size] if char.isalnum())
        at += size
        if word:
            words.append(Word(word, now, now + pace * len(word)))
            now += pace * len(word)
    return Clause(text, start, max(now, start + 0.1), tuple(words))


CLAUSES = st.builds(clause_of, TEXTS, st.lists(st.integers(1, 9), max_size=30), st.floats(0, 1e5), st.floats(0, 2))


def parse(text: str) -> list[tuple[int, int, int, str]]:
    """Number, start and end in milliseconds, and text of each block; fails on anything else."""
    found = []
    for block in text.split("\n\n") if text else []:
        match = BLOCK.fullmatch(block.rstrip("\n") + "\n")
        assert match, block
        number, h1, m1, s1, t1, h2, m2, s2, t2 = map(int, match.groups()[:9])
        assert max(m1, s1, m2, s2) < 60
        times = ((h1 * 60 + m1) * 60 + s1) * 1000 + t1, ((h2 * 60 + m2) * 60 + s2) * 1000 + t2
        found.append((number, *times, match[10]))
    return found


@settings(deadline=None)
@given(st.lists(CLAUSES, max_size=5))
def test_cues_are_numbered_in_order_and_never_overlap(clauses: list[Clause]) -> None:
    previous = 0
    for index, (number, start, end, text) in enumerate(parse(srt(clauses)), 1):
        assert number == index
        assert previous <= start < end
        assert text == text.strip()
        assert any(char.isalnum() for char in text)
        previous = end


@settings(deadline=None)
@given(CLAUSES)
def test_no_cue_is_too_wide(clause: Clause) -> None:
    assert all(width(cue.text) <= MAX_WIDTH for cue in cues(clause))


@settings(deadline=None)
@given(CLAUSES)
def test_every_letter_of_the_text_is_in_one_cue(clause: Clause) -> None:
    def spoken(text: str) -> str:
        return "".join(char for char in text if char.isalnum())

    assert "".join(spoken(cue.text) for cue in cues(clause)) == spoken(clause.text)


@settings(deadline=None)
@given(CLAUSES)
def test_no_cue_is_outside_its_clause(clause: Clause) -> None:
    for cue in cues(clause):
        assert clause.start <= cue.start <= cue.end <= clause.end + 1e-9


@settings(deadline=None)
@given(
    st.text(max_size=60),
    st.lists(st.tuples(st.text(max_size=5), st.floats(0, 9), st.floats(0, 9)), max_size=9),
)
def test_words_that_have_nothing_to_do_with_the_text_do_no_harm(
    text: str, words: list[tuple[str, float, float]]
) -> None:
    clause = Clause(text, 0.0, 9.0, tuple(Word(word, min(a, b), max(a, b)) for word, a, b in words))
    for cue in cues(clause):
        assert width(cue.text) <= MAX_WIDTH
    assert srt([clause]) == srt([clause])


def test_a_short_clause_is_one_cue_from_its_first_to_its_last_word() -> None:
    clause = Clause(
        "今天天气真好，", 0.0, 2.0, (Word("今天", 0.1, 0.5), Word("天气", 0.5, 1.0), Word("真好", 1.0, 1.6))
    )
    assert srt([clause]) == "1\n00:00:00,100 --> 00:00:01,600\n今天天气真好，\n"


def test_a_long_clause_is_broken_at_its_punctuation() -> None:
    text = "我们买了苹果香蕉西瓜葡萄橘子、还有很多很多新鲜的蔬菜水果。"
    assert [cue.text for cue in cues(clause_of(text, [2] * 20))] == [
        "我们买了苹果香蕉西瓜葡萄橘子、",
        "还有很多很多新鲜的蔬菜水果。",
    ]


def test_a_long_clause_without_punctuation_is_broken_evenly_between_words() -> None:
    text = "一二三四五六七八九十一二三四五六七八九十一二三四"
    assert [cue.text for cue in cues(clause_of(text, [2] * 12))] == [text[:12], text[12:]]


def test_an_opening_bracket_goes_with_the_next_word() -> None:
    text = "他昨天在学校里非常高兴地对我们大家说：“今天的天气真的是非常好”。"
    assert [cue.text for cue in cues(clause_of(text, [1] * 40))] == [
        "他昨天在学校里非常高兴地对我们大家说：",
        "“今天的天气真的是非常好”。",
    ]


def test_a_number_that_is_spoken_as_words_is_shown_as_it_was_written() -> None:
    words = (Word("二零", 0.0, 0.4), Word("二四年", 0.4, 1.0), Word("我们", 1.0, 1.3))
    (cue,) = cues(Clause("2024年我们", 0.0, 1.4, words))
    assert (cue.text, cue.start, cue.end) == ("2024年我们", 0.0, 1.3)


def test_a_long_english_text_without_word_times_is_broken_at_spaces() -> None:
    text = "the quick brown fox jumps over the lazy dog and runs away into the dark forest"
    found = cues(Clause(text, 0.0, 8.0))
    assert " ".join(cue.text for cue in found) == text
    assert [cue.start for cue in found] == sorted(cue.start for cue in found)


def test_hours_are_written_in_full() -> None:
    assert "01:01:01,500 --> 01:01:02,500" in srt([Clause("好", 3661.5, 3662.5)])


def test_no_times_are_an_error_and_not_an_empty_file() -> None:
    import numpy as np

    speech = Speech(np.zeros(10, np.int16), 24000, (), (), "demo", "fast", 0.1, 0.2)
    with pytest.raises(ProtocolError, match="sent no times"):
        speech.srt()
