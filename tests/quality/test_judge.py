"""The parts of the quality check that need no model."""

from __future__ import annotations

import math

import numpy as np
import pytest

from .acoustics import rms_db
from .judge import Comparison, Syllable, compare, edit_distance, syllables, total
from .listeners import Opinion
from .natural import Judged, Totals, broken_promises, report, totals
from .table import percent, table, width


def _sounds(text: str) -> list[Syllable]:
    return [Syllable(reading, reading) for reading in text.split()]


@pytest.mark.parametrize(
    ("reference", "heard", "edits"),
    [
        ("", "", 0),
        ("", "ni hao", 2),
        ("ni hao", "", 2),
        ("jin tian xia yu", "jin tian xia yu", 0),
        ("jin tian xia yu", "jin tian qia yu", 1),
        ("jin tian xia yu", "jin tian yu", 1),
        ("jin tian xia yu", "jin tian xia da yu", 1),
        ("a b c d", "b c d a", 2),
    ],
)
def test_the_fewest_edits_are_counted(reference: str, heard: str, edits: int) -> None:
    assert edit_distance(_sounds(reference), _sounds(heard)) == edits


@pytest.mark.parametrize(
    ("reference", "heard"),
    [
        ("他在哪里？", "她在那里"),  # homophones but for the tone
        ("這個問題很難。", "这个问题很难"),
        ("我有25本书", "我有二十五本书。"),
        ("现在是下午2:30。", "现在是下午两点三十分"),
        ("涨了12.5%", "涨了百分之十二点五"),
        ("花了200元", "花了两百元"),
        ("他们研究AI。", "他们研究ai"),
        ("早点儿睡。", "早点睡"),
        ("他看着书。", "他看著書。"),
    ],
)
def test_the_same_sound_in_another_spelling_is_no_error(reference: str, heard: str) -> None:
    assert compare(reference, heard).edits == 0


def test_another_sound_is_an_error() -> None:
    assert compare("今天下雨。", "今天下雪。") == Comparison(edits=1, length=4)


def test_an_er_that_is_a_syllable_counts() -> None:
    assert compare("女儿来了。", "女来了。") == Comparison(edits=1, length=4)


def test_a_character_is_itself_however_it_is_read() -> None:
    assert Syllable("行", "hang").sounds_like(Syllable("行", "xing"))
    assert not Syllable("行", "hang").sounds_like(Syllable("星", "xing"))


def test_punctuation_and_spaces_are_not_said() -> None:
    assert [one.reading for one in syllables("你好， 世界！")] == ["ni", "hao", "shi", "jie"]
    assert syllables("……？") == []


def test_a_total_weighs_sentences_by_their_length() -> None:
    both = total([Comparison(1, 2), Comparison(0, 18)])
    assert both == Comparison(1, 20)
    assert both.error == pytest.approx(0.05)
    assert total([]).error == 0.0


def test_chinese_characters_are_two_columns_wide() -> None:
    assert width("今天a，") == 7
    text = table(["n", "text", "x"], [["1", "今天", "ab"], ["12", "abc", "c"]], ["n"])
    assert text.splitlines() == [" n  text  x", "--  ----  --", " 1  今天  ab", "12  abc   c"]
    assert percent(0.0312) == "3.1"


def test_the_promises_are_checked_on_the_totals() -> None:
    good = Opinion(3.4, 3.6, 4.0)
    assert broken_promises(Totals(Comparison(3, 100), good)) == []
    assert "4.0%" in broken_promises(Totals(Comparison(4, 100), good))[0]
    assert "3.10" in broken_promises(Totals(Comparison(0, 100), Opinion(3.1, 3.6, 4.0)))[0]


def test_the_report_shows_what_was_heard_only_where_it_differs() -> None:
    right = Judged("今天下雨。", "今天下雨", Comparison(0, 4), Opinion(3.0, 3.5, 4.0), 1.0)
    wrong = Judged("今天下雨。", "今天下雪", Comparison(1, 4), Opinion(3.5, 3.5, 4.0), 1.0)
    result = totals([right, wrong])
    assert result == Totals(Comparison(1, 8), Opinion(3.25, 3.5, 4.0))
    text = report([right, wrong], result)
    assert "→ 今天下雪" in text
    assert "→ 今天下雨" not in text
    assert "12.50% (1 of 8 syllables)" in text


def test_loudness_is_relative_to_full_scale() -> None:
    loud = np.full(100, 16384, np.int16)
    assert rms_db(loud) == pytest.approx(-6.02, abs=0.01)
    assert rms_db(loud // 2) - rms_db(loud) == pytest.approx(-6.02, abs=0.01)
    assert rms_db(np.zeros(10, np.int16)) == -math.inf
