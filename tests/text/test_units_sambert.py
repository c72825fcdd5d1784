"""Sambert voices get the units that KAN-TTS would make of the same reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mandarin import Clause, Frontend, SambertUnits, Syllable, SymbolError, Word
from mandarin.syllables import KNOWN
from mandarin.units_sambert import FEATURES, split_syllable
from text_helpers import sambert_symbols

REFERENCE = Path(__file__).resolve().parents[1] / "data" / "sambert" / "nsf16k"
SYMBOLS = sambert_symbols()


def units(emotion: str = "neutral", intensity: float = 1.0) -> SambertUnits:
    return SambertUnits(SYMBOLS, emotion, "F7", intensity)


def lines() -> dict[str, str]:
    """The reference's symbol lines by their names."""
    rows = (row.split("\t") for row in (REFERENCE / "symbols.txt").read_text(encoding="utf-8").splitlines())
    return {name: line.strip() for name, line in rows}


def parse(line: str) -> list[list[int]]:
    """The ids of a symbol line."""
    parts = [unit.strip("{}").split("$") for unit in line.split()]
    return [[SYMBOLS[feature][symbol] for feature, symbol in zip(FEATURES, part, strict=True)] for part in parts]


def decode(ids: np.ndarray) -> str:
    """The symbol line of a clause's units."""
    names = [{number: symbol for symbol, number in SYMBOLS[feature].items()} for feature in FEATURES]
    parts = ["$".join(table[number] for table, number in zip(names, row, strict=False)) for row in ids.tolist()]
    return " ".join(f"{{{part}}}" for part in parts)


def clause(frontend: Frontend, text: str) -> Clause:
    encoder = units()
    (made,) = frontend.analyze(text, unit_count=encoder.count, max_units=300).clauses
    return made


def spoken(*words: str) -> Clause:
    """A clause of words of one syllable, like `wanr2`, with a break after the last only."""
    made = [Syllable(word[:-1].removesuffix("r"), int(word[-1]), word[-2] == "r") for word in words]
    return Clause("", tuple(Word("字", (syllable,), 0, "hanzi") for syllable in made), 0.0)


def phones(frontend: Frontend, text: str) -> str:
    """Phones and breaks of a text, with their tones, without the mark of Chinese phones."""
    encoded = units().encode(clause(frontend, text))
    return " ".join(part[1:-1].split("$")[0].removesuffix("_c") for part in decode(encoded.ids).split())


def test_a_text_becomes_the_references_line(frontend: Frontend) -> None:
    made = clause(frontend, "北京今天天气怎么样")
    assert decode(units().encode(made).ids) == lines()["beijing"]


def test_an_emotion_becomes_the_references_line(frontend: Frontend) -> None:
    assert decode(units("happy").encode(spoken("ni3", "hao3")).ids) == lines()["happy_short"]


@pytest.mark.parametrize("name", ["beijing", "happy_short", "long"])
def test_a_symbol_line_and_its_ids_are_the_same(name: str) -> None:
    ids = np.array(parse(lines()[name]))
    assert decode(ids) == lines()[name]


def test_the_ids_are_those_that_kan_tts_computes(frontend: Frontend) -> None:
    with np.load(REFERENCE / "reference_beijing.npz") as reference:
        expected = [*reference["ling"][0].T, reference["emo"][0], reference["spk"][0]]
    ids = units().encode(clause(frontend, "北京今天天气怎么样。")).ids
    assert ids.dtype == np.int32
    assert ids[:, :6].tolist() == np.stack(expected, axis=1).tolist()
    assert (ids[:, 6] == 100).all()


# What KAN-TTS spells otherwise than the syllable is written, one of each kind.
@pytest.mark.parametrize(
    ("pinyin", "expected"),
    [
        ("xi", "xx_c i_c"),
        ("xue", "xx_c ve_c"),
        ("zhi", "zh_c ih_c"),
        ("ri", "r_c ih_c"),
        ("si", "s_c ii_c"),
        ("gui", "g_c uei_c"),
        ("hun", "h_c uen_c"),
        ("jiu", "j_c iou_c"),
        ("jun", "j_c vn_c"),
        ("quan", "q_c van_c"),
        ("lve", "l_c ve_c"),
        ("nv", "n_c v_c"),
        ("lu", "l_c u_c"),
        ("yi", "y_c i_c"),
        ("you", "y_c ou_c"),
        ("yan", "y_c an_c"),
        ("ye", "y_c e_c"),
        ("yo", "y_c o_c"),
        ("yong", "y_c ong_c"),
        ("ying", "y_c ing_c"),
        ("yu", "y_c v_c"),
        ("yuan", "y_c van_c"),
        ("yue", "y_c ve_c"),
        ("yun", "y_c vn_c"),
        ("wu", "w_c u_c"),
        ("wei", "w_c ei_c"),
        ("wen", "w_c en_c"),
        ("wo", "w_c o_c"),
        ("weng", "w_c eng_c"),
        ("a", "ga a_c"),
        ("ang", "ga ang_c"),
        ("e", "ge e_c"),
        ("ei", "ge ei_c"),
        ("en", "ge en_c"),
        ("eng", "ge eng_c"),
        ("er", "ge er_c"),
        ("o", "go o_c"),
        ("ou", "go ou_c"),
    ],
)
def test_a_syllable_is_spelled_as_kan_tts_does(pinyin: str, expected: str) -> None:
    assert " ".join(split_syllable(pinyin)) == expected


@pytest.mark.parametrize(
    ("pinyin", "expected"),
    [
        ("hua", "h_c uar_c"),
        ("wan", "w_c anr_c"),
        ("yi", "y_c ir_c"),
        ("shi", "sh_c ihr_c"),
        ("zi", "z_c iir_c"),
        ("gui", "g_c ueir_c"),
        ("yuan", "y_c vanr_c"),
        ("ge", "g_c er_c"),
        ("ye", "y_c er_c"),
        ("er", "ge er_c"),
    ],
)
def test_an_r_coloured_final_is_one_phone(pinyin: str, expected: str) -> None:
    assert " ".join(split_syllable(pinyin, erhua=True)) == expected


def written(initial: str, final: str) -> set[str]:
    """The spellings in pinyin that two phones may stand for, by the rules of pinyin and not the encoder's."""
    first = {"xx_c": "x", "ga": "", "ge": "", "go": ""}.get(initial, initial.removesuffix("_c"))
    rest = final.removesuffix("_c")
    rest = {"uei": "ui", "uen": "un", "iou": "iu", "ih": "i", "ii": "i"}.get(rest, rest)
    return {first + rest, first + rest.replace("v", "u")} & KNOWN if first in ("j", "q", "x", "y") else {first + rest}


def test_every_syllable_is_two_phones_of_the_table_and_read_back_is_itself() -> None:
    for pinyin in KNOWN:
        initial, final = split_syllable(pinyin)
        assert {initial, final} <= SYMBOLS["sy"].keys(), pinyin
        assert written(initial, final) == {pinyin}


def test_every_syllable_has_an_r_coloured_final_in_the_table() -> None:
    for pinyin in KNOWN:
        plain, coloured = split_syllable(pinyin), split_syllable(pinyin, erhua=True)
        assert coloured[0] == plain[0]
        assert coloured[1] in SYMBOLS["sy"], pinyin
        assert coloured[1].removesuffix("_c") == plain[1].removesuffix("_c").removesuffix("r") + "r"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我们的生活很好。", "我们·的 #1 生活 #1 很·好 #4"),
        ("今天天气怎么样？", "今天 #1 天气 #1 怎么样 #4"),
        ("他把书放在桌子上了。", "桌子·上·了 #4"),
        ("你不是说好要来吗？", "来·吗 #4"),
        ("虽然下雨了，但是他还是去跑步了。", "下雨·了 #3 但是"),
        ("3月5日下雨。", "3·月 #1 5·日 #1 下雨 #4"),
        ("我买了两个苹果。", "两个 #1 苹果 #4"),
        ("孩子们都很喜欢吃冰淇淋。", "孩子·们 #1 都 #1 很·喜欢 #1 吃 #1 冰淇淋 #4"),
        ("经济发展与环境保护同样重要。", "经济 #1 发展 #2 与 #1"),
        ("非常感谢大家。", "非常 #1 感谢 #1 大家 #4"),
    ],
)
def test_particles_cling_and_words_are_apart(frontend: Frontend, text: str, expected: str) -> None:
    made = clause(frontend, text)
    encoded = units().encode(made)
    spans = [*encoded.word_spans, (len(encoded.labels), 0)]
    parts = [
        word.text + (f" {encoded.labels[end]} " if end < following else "·")
        for word, (_, end), (following, _) in zip(made.words, spans[:-1], spans[1:], strict=True)
    ]
    assert expected in "".join(parts)


def test_a_prosodic_word_is_flagged_as_one(frontend: Frontend) -> None:
    encoded = units().encode(clause(frontend, "我们的"))
    assert [part.split("$")[3] for part in decode(encoded.ids).split()] == [
        "word_begin",
        *["word_middle"] * 4,
        "word_end",
        "word_none",
    ]


def test_a_clause_ends_with_4_also_where_its_sentence_goes_on(frontend: Frontend) -> None:
    encoder = units()
    first, second = frontend.analyze("今天天气很好，我们去公园。", unit_count=encoder.count, max_units=20).clauses
    assert first.text.endswith("，")
    assert [encoder.encode(made).labels[-1] for made in (first, second)] == ["#4", "#4"]


def test_intensity_is_in_per_cent_and_not_for_breaks() -> None:
    ids = units("sad", 0.55).encode(spoken("ni3", "hao3")).ids
    assert ids[:, 6].tolist() == [55, 55, 55, 55, 100]


def test_the_events_call_phones_as_those_of_other_voices(frontend: Frontend) -> None:
    encoded = units().encode(clause(frontend, "学诗爱花儿"))
    assert encoded.labels == ("x", "ve2", "#1", "sh", "iii1", "#1", "^", "ai4", "#1", "h", "uar1", "#4")


def test_breaks_and_the_initials_that_are_none_may_vanish_and_breaks_are_pauses(frontend: Frontend) -> None:
    encoded = units().encode(clause(frontend, "学诗爱花儿"))
    assert encoded.vanishing == (2, 5, 6, 8, 11)
    assert encoded.pauses == [2, 5, 8, 11]
    assert (encoded.opening, encoded.closing) == (None, 11)


def test_a_voice_without_speakers_has_none() -> None:
    assert SambertUnits(SYMBOLS, "neutral", None).encode(spoken("ni3")).ids[:, 5].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (SambertUnits(SYMBOLS, "joy", "F7"), "no emo_category 'emotion_joy'; it has emotion_none, emotion_neutral, "),
        (SambertUnits(SYMBOLS, "happy", "F8"), "no speaker_category 'F8'; it has F7, F74, FBYN"),
        (SambertUnits({**SYMBOLS, "sy": {"#4": 0}}, "happy", "F7"), "no sy 'n_c'; it has #4"),
    ],
)
def test_a_symbol_that_the_voice_lacks_is_an_error_that_lists_those_it_has(encoder: SambertUnits, message: str) -> None:
    with pytest.raises(SymbolError, match=message) as caught:
        encoder.encode(spoken("ni3"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
