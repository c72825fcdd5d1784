"""What is skipped, spelled or read from the lexicon, and that nothing else is dropped."""

import threading

import pytest
from mandarin import Analysis, Frontend
from mandarin.characters import PINYIN_DICT
from mandarin.latin import Latin
from mandarin.pronounce import _dictionary
from mandarin.units_baker import split_syllable
from text_helpers import analyze, cost, reading


def kinds(analysis: Analysis) -> set[tuple[str, str]]:
    return {(n.kind, n.text) for n in analysis.notices}


@pytest.mark.parametrize(
    "piece",
    [
        "😀",
        "👨\u200d👩\u200d👧",
        "\x07",
        "\u200b",
        "\ufe0f",
        "\ud83d",
        "\ue000",
        "Ж",
        "ひ",
        "한",
        "☃",
        "™",
        "\U0003fffe",
    ],
)
def test_what_cannot_be_said_is_reported(frontend: Frontend, piece: str) -> None:
    analysis = analyze(frontend, f"你好{piece}世界")
    assert kinds(analysis) == {("skipped", piece)}
    assert "".join(w.text for w in analysis.clauses[0].words) == "你好世界"
    assert analysis.notices[0].message.endswith(".")
    assert analysis.notices[0].message.isprintable()


def test_equal_skips_are_grouped(frontend: Frontend) -> None:
    (notice,) = analyze(frontend, "好😀好😀好").notices
    assert "2 times" in notice.message


def test_punctuation_needs_no_notice(frontend: Frontend) -> None:
    assert analyze(frontend, "“你”、‘我’（他）《书》——她……【好】·「行」；：～，-。!?").notices == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WiFi", ("lexicon", "WiFi")),
        ("hello", ("lexicon", "hello")),
        ("OK", ("lexicon", "OK")),
        ("app", ("lexicon", "app")),
        ("iPhone", ("lexicon", "iPhone")),
        ("Google", ("lexicon", "Google")),
        ("C++", ("lexicon", "C++")),
        ("GPU", ("spelled", "GPU")),
        ("AI", ("spelled", "AI")),
        ("xyzzy", ("spelled", "xyzzy")),
        ("IT", ("spelled", "IT")),
    ],
)
def test_latin_notices(frontend: Frontend, text: str, expected: tuple[str, str]) -> None:
    assert expected in kinds(analyze(frontend, f"这是{text}"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("T恤", "ti4 xu4"),
        ("B站", "bi4 zhan4"),
        ("4G", "si4 ji4"),
        ("GPT-4", "ji4 pi1 ti4 si4"),
        ("A", "ei1"),
        ("W", "da2 bu5 liu5"),
        ("A4纸", "ei1 si4 zhi3"),
        ("ＡＩ", "ei1 ai4"),
        ("café", "xi1 ei1 ai2 fu5 yi4"),
        ("iPhone15", "ai4 feng1 shi2 wu3"),
        ("CA1234", "xi1 ei1 yao1 er4 san1 si4"),
        ("α和β", "a1 er2 fa3 he2 bei4 ta3"),
        ("v2.0.1", "wei1 er4 dian3 ling2 dian3 yi1"),
        ("a@b.cn", "ei1 ai4 te4 bi4 dian3 xi1 en1"),
        ("Ⅲ", "san1"),
        ("①", "yi1"),
        ("１２", "shi2 er4"),
        ("A/B", "ei1 bi4"),
        ("周一-周五", "zhou1 yi1 dao4 zhou1 wu3"),
    ],
)
def test_latin_reading(frontend: Frontend, text: str, expected: str) -> None:
    assert reading(frontend, text) == expected


def test_surface_forms_are_kept(frontend: Frontend) -> None:
    words = [w.text for c in analyze(frontend, "2024年有25℃，GPT-4和Python，頭髮").clauses for w in c.words]
    assert words == ["2024年", "有", "25℃", "GPT", "4", "和", "Python", "頭髮"]


def test_every_character_with_a_reading_is_encodable() -> None:
    for code in PINYIN_DICT:
        for syllable in _dictionary(chr(code)):
            assert split_syllable(syllable.pinyin)
            assert 1 <= syllable.tone <= 5


def test_threads_agree(frontend: Frontend) -> None:
    text = "我们一起去了3次銀行，GPU和WiFi都不错。" * 5
    expected = analyze(frontend, text)
    results: list[Analysis] = []
    threads = [threading.Thread(target=lambda: results.append(analyze(frontend, text))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_lexicon_is_a_good_size() -> None:
    latin = Latin()
    assert len(latin._lexicon) >= 150
    assert cost([]) == 2
