"""Clauses: where they end, how long they are, what silence follows."""

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mandarin import Analysis, BakerUnits, Clause, Frontend, SambertUnits, TextError, UnitEncoder
from text_helpers import analyze, cost, sambert_symbols, symbols

SENTENCE = "今天天气很好，我们一起去公园里散步、聊天、看花，然后回家吃饭，晚上再看一场电影，最后早点休息。"


def texts(analysis: Analysis) -> list[str]:
    return [c.text for c in analysis.clauses]


def test_sentence_ends_always_end_a_clause(frontend: Frontend) -> None:
    analysis = analyze(frontend, "你好。你好吗？很好！等等……再见")
    assert texts(analysis) == ["你好。", "你好吗？", "很好！", "等等……", "再见"]
    assert [c.words[-1].break_after for c in analysis.clauses] == [4] * 5


def test_pauses_grow_with_the_mark_and_no_mark_asks_for_none(frontend: Frontend) -> None:
    clauses = analyze(frontend, "一句。\n第二句！第三句").clauses
    assert clauses[0].pause > clauses[1].pause > clauses[2].pause == 0.0


def test_commas_stay_inside_a_clause_as_breaks(frontend: Frontend) -> None:
    (clause,) = analyze(frontend, "今天很好，明天也好。").clauses
    assert [w.break_after for w in clause.words].count(3) == 1
    assert clause.text == "今天很好，明天也好。"


def test_a_long_sentence_is_split_at_commas_and_balanced(frontend: Frontend) -> None:
    clauses = analyze(frontend, SENTENCE).clauses
    sizes = [cost(c.words) for c in clauses]
    assert len(clauses) == 2
    assert max(sizes) <= 100
    assert min(sizes) > 35
    assert clauses[0].text.endswith("，")
    assert 0 < clauses[0].pause < 0.3
    assert "".join(texts(analyze(frontend, SENTENCE))) == SENTENCE


@pytest.mark.parametrize("limit", [5, 8, 20, 60, 100, 400])
def test_the_limit_holds_without_punctuation(frontend: Frontend, limit: int) -> None:
    analysis = analyze(frontend, "我们的生活越来越好了" * 40, limit)
    assert all(cost(c.words) <= limit for c in analysis.clauses)
    assert sum(len(w.syllables) for c in analysis.clauses for w in c.words) == 400


def test_no_orphans(frontend: Frontend) -> None:
    clauses = analyze(
        frontend, "好的，" + "我们明天早上一起坐火车去上海参加一个非常重要的国际学术会议并且发表演讲报告"
    ).clauses
    assert all(sum(len(w.syllables) for w in c.words) > 3 for c in clauses)


def test_words_are_whole_when_they_fit(frontend: Frontend) -> None:
    whole = {w.text for c in analyze(frontend, "人工智能改变生活").clauses for w in c.words}
    split = {w.text for c in analyze(frontend, "人工智能改变生活", 16).clauses for w in c.words}
    assert whole == split


def test_a_limit_below_one_syllable_is_refused(frontend: Frontend) -> None:
    with pytest.raises(ValueError, match="max_units"):
        analyze(frontend, "你好", 3)


def test_quotes_and_brackets_stay_with_their_clause(frontend: Frontend) -> None:
    assert texts(analyze(frontend, "他说：“你好！”“再见！”《红楼梦》好看。")) == [
        "他说：“你好！”",
        "“再见！”",
        "《红楼梦》好看。",
    ]


@pytest.mark.parametrize(
    "text", ["", "  \n\t", "，。！", "😀😀", "……", "\ud800", "\u200b", "(())", "こんにちは", "———"]
)
def test_nothing_to_say(frontend: Frontend, text: str) -> None:
    with pytest.raises(TextError, match="nothing to say") as caught:
        analyze(frontend, text)
    assert "\n" not in str(caught.value)


ENCODERS: tuple[UnitEncoder, ...] = (
    BakerUnits(symbols()),
    SambertUnits(sambert_symbols(), "happy", "F7", 1.5),
)
ANY = st.text(max_size=80) | st.text(
    alphabet="你好一不得地了着儿的行长重三"
    "0123456789.,:-/%+= \n，。！？、“”（）…—aAzZvx@#￥$~℃²½😀\u200d\ufe0f\ud800αЖあ",
    max_size=80,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(text=ANY, limit=st.sampled_from([6, 30, 100]), units=st.sampled_from(ENCODERS))
def test_any_text_is_encodable_or_refused(frontend: Frontend, text: str, limit: int, units: UnitEncoder) -> None:
    try:
        analysis = frontend.analyze(text, unit_count=units.count, max_units=limit)
    except TextError:
        return
    assert analysis.clauses
    for clause in analysis.clauses:
        encoded = units.encode(clause)
        assert len(encoded.ids) == len(encoded.labels) == units.count(clause.words) <= limit
        assert all(w.text and w.syllables and 0 <= w.break_after <= 4 for w in clause.words)
    assert analysis == frontend.analyze(text, unit_count=units.count, max_units=limit)


def test_time_grows_about_linearly(frontend: Frontend) -> None:
    def seconds(text: str) -> float:
        start = time.perf_counter()
        analyze(frontend, text)
        return time.perf_counter() - start

    for unit in (SENTENCE, "我们的生活越来越好了", "a1b2c3.d4-e5", "12.3.4-5/6:7", "a.b-c_d"):
        text = "".join(itertools.islice(itertools.cycle(unit), 5000))
        assert seconds(text) < 4.0, unit


def test_encoding_layout(frontend: Frontend) -> None:
    units = BakerUnits(symbols())
    (clause,) = analyze(frontend, "花儿，很红").clauses
    encoded = units.encode(clause)
    names = {number: name for name, number in symbols()["phone"].items()}
    assert encoded.ids.shape == (12, 1)
    assert " ".join(names[number] for number in encoded.ids[:, 0]) == "sil h ua1 er5 #3 h en3 #0 h ong2 sil eos"
    assert encoded.labels == ("", "h", "ua1", "er5", "#3", "h", "en3", "", "h", "ong2", "", "eos")
    assert [encoded.labels[a:b] for a, b in encoded.word_spans] == [
        ("h", "ua1", "er5"),
        ("h", "en3", ""),
        ("h", "ong2", ""),
    ]
    assert (encoded.opening, encoded.closing, encoded.pauses) == (0, 11, [0, 4, 11])


def test_clause_is_a_value() -> None:
    assert Clause("", (), 0.0) == Clause("", (), 0.0)
