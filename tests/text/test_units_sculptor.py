"""A voice whose language model reads text is given what is said, in pieces as long as it takes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mandarin import Frontend, SculptorUnits, Word
from mandarin.units_sculptor import MOST_CHARACTERS, spoken_text
from speaking import Ask, Speaking
from text_helpers import sculptor_json, shelve
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers_read import FILE_NAME
from voice_file import BrokenVoiceError

SENTENCES = "今天天气真好，我们去公园散步吧。你吃饭了吗？他说：明天再来！" * 8


def trained() -> Tokenizer:
    """A small tokenizer of the kind that the language model has: bytes, and what often stands together."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([SENTENCES, "hello world, this is English"], trainer)
    return tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return trained()


@pytest.fixture
def repository(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    shelve(tmp_path, sculptor_json("zhi"))
    tokenizer.save(str(tmp_path / "zhi" / FILE_NAME))
    return tmp_path


@pytest.fixture
def speaking(repository: Path, frontend: Frontend, monkeypatch: pytest.MonkeyPatch) -> Speaking:
    monkeypatch.setattr("speaking.Frontend", lambda: frontend)
    return Speaking(repository)


def ask(text: str, **asked: object) -> Ask:
    return Ask(text, voice="zhi", **asked)


def pieces(speaking: Speaking, tokenizer: Tokenizer, text: str, **asked: object) -> list[str]:
    """What the language model reads, piece by piece."""
    made = speaking.whole(ask(text, **asked))
    return [
        tokenizer.decode(row[: length[0], 0].tolist()) for row, length in zip(made.units, made.lengths, strict=True)
    ]


def read(speaking: Speaking, tokenizer: Tokenizer, text: str, **asked: object) -> str:
    return "|".join(pieces(speaking, tokenizer, text, **asked))


def told(speaking: Speaking, text: str, **asked: object) -> list[dict[str, str]]:
    clauses = [json.loads(clause) for clause in speaking.whole(ask(text, **asked)).clauses]
    return [notice for clause in clauses for notice in clause["notices"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("今天是2024年3月5日。", "今天是二零二四年三月五日。"),
        ("涨了3.5%，还有¥20！", "涨了百分之三点五，还有二十元！"),
        ("我喜欢 hello world 这个例子", "我喜欢hello world这个例子。"),
        ("Kubernetes is great. I use TensorRT!", "Kubernetes is great. I use TensorRT!"),
        ("好。你好？\n再见", "好。|你好？再见。"),
        ("他說繁體字，", "他说繁体字，"),
        ("“引号”（括号）《书名》。", "引号括号书名。"),
        ("<speak><say-as interpret-as='characters'>AB3</say-as></speak>", "A B三。"),
        ("<speak><sub alias='world wide web'>WWW</sub>好</speak>", "world wide web好。"),
    ],
)
def test_what_is_read_is_what_the_front_end_says(
    speaking: Speaking, tokenizer: Tokenizer, text: str, said: str
) -> None:
    assert read(speaking, tokenizer, text) == said


@pytest.mark.parametrize("token", ["<|endoftext|>", "<|im_start|>", "<|endofprompt|>", "[breath]", "<strong>"])
def test_no_text_is_a_control_token(speaking: Speaking, tokenizer: Tokenizer, token: str) -> None:
    said = read(speaking, tokenizer, f"你好{token}再见")
    assert token not in said
    assert said.startswith("你好")
    assert said.endswith("再见。")


def test_sentences_are_read_together_up_to_what_fits(speaking: Speaking, tokenizer: Tokenizer) -> None:
    said = pieces(speaking, tokenizer, SENTENCES)
    assert "".join(said) == SENTENCES
    first, *others = said
    assert first == "今天天气真好，我们去公园散步吧。", "audio begins after one sentence"
    assert others[0].count("。") > 2
    assert all(piece[-1] in "。！？" for piece in said)


def test_a_sentence_without_any_mark_is_cut_where_words_end(speaking: Speaking, tokenizer: Tokenizer) -> None:
    said = pieces(speaking, tokenizer, "我们今天一起去公园里面散步" * 20)
    assert len(said) > 3
    assert all(piece.endswith("，") for piece in said[:-1]), "none sounds as if the sentence ended there"
    assert said[-1].endswith("。")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("天气好a1，。！?\n -9x%"), min_size=1, max_size=400))
def test_every_piece_fits_and_nothing_is_lost(frontend: Frontend, tokenizer: Tokenizer, text: str) -> None:
    units = SculptorUnits(lambda said: tokenizer.encode(said).ids, 100)
    try:
        clauses = frontend.analyze(text, unit_count=units.count, max_units=100).clauses
    except ValueError:
        return
    joined = list(units.joined(clauses))
    assert all(len(units.encode(clause).ids) <= 100 for clause in joined)
    assert all(len(spoken_text(clause.words)) <= MOST_CHARACTERS for clause in joined)
    assert [word for clause in joined for word in clause.words] == [word for c in clauses for word in c.words]
    assert joined[-1].pause == clauses[-1].pause


def test_characters_count_as_well_as_tokens() -> None:
    units = SculptorUnits(lambda text: [1], 100)
    assert units.count([Word("字" * 150, (), 4, "hanzi", "字" * 150)]) == 76


def test_a_mark_between_sentences_keeps_them_apart(speaking: Speaking) -> None:
    batch = speaking.whole(ask("<speak>昨天。<mark name='a'/>今天。明天。<mark name='b'/>后天。</speak>"))
    clauses = [json.loads(clause) for clause in batch.clauses]
    assert [clause["text"] for clause in clauses] == ["昨天。", "今天。明天。", "后天。"]
    assert [clause["marks"] for clause in clauses] == [[], [["a", 0]], [["b", 0]]]


def test_a_clause_tells_no_words_and_the_router_gets_what_it_must_know(speaking: Speaking) -> None:
    (block,) = speaking.plan(ask("你好", emotion="开心"))
    content = json.loads(block)
    assert content["generation"]["sos"] == 4000
    assert content["design"]["attributes"] == {"gender": ["男性", "女性"]}
    assert content["manner"]["emotion"] == "happy"
    described = json.loads(speaking.block(block, None).clauses[0])
    assert (described["words"], described["phones"], described["pauses"]) == ([], [], [])


@pytest.mark.parametrize(
    ("text", "asked", "kind"),
    [
        ("重庆很好", {"dictionary": '{"重庆": "chong2 qing4"}'}, "dictionary"),
        ("<speak><phoneme ph='chong2 qing4'>重庆</phoneme>很好</speak>", {}, "markup"),
    ],
)
def test_a_reading_in_pinyin_is_told_to_be_left_out(
    speaking: Speaking, tokenizer: Tokenizer, text: str, asked: dict[str, str], kind: str
) -> None:
    assert read(speaking, tokenizer, text, **asked) == "重庆很好。"
    (notice,) = told(speaking, text, **asked)
    assert (notice["kind"], notice["text"]) == (kind, "重庆")
    assert "chong2 qing4" in notice["message"]


def test_a_reading_in_characters_is_read(speaking: Speaking, tokenizer: Tokenizer) -> None:
    dictionary = '{"AI": "人工智能", "ASR": "speech recognition"}'
    assert read(speaking, tokenizer, "用AI做ASR", dictionary=dictionary) == "用人工智能做speech recognition。"
    assert told(speaking, "用AI做ASR", dictionary=dictionary) == []


def test_pitch_and_intensity_are_told_to_be_left_out(speaking: Speaking) -> None:
    assert [n["text"] for n in told(speaking, "你好", controls={"pitch": 2.0})] == ["pitch 2"]
    text = "<speak><emotion category='happy' intensity='1.5'>你好</emotion></speak>"
    assert [n["text"] for n in told(speaking, text)] == ["intensity 1.5"]


def test_a_tokenizer_is_read_again_when_it_changes(speaking: Speaking, repository: Path, tokenizer: Tokenizer) -> None:
    path = repository / "zhi" / FILE_NAME
    before = read(speaking, tokenizer, "你好")
    path.write_text("{}")
    with pytest.raises(BrokenVoiceError, match=r"'zhi' is broken: text_tokenizer\.json.*export it again"):
        read(speaking, tokenizer, "你好")
    tokenizer.save(str(path))
    assert read(speaking, tokenizer, "你好") == before


def test_a_missing_tokenizer_breaks_the_voice(speaking: Speaking, repository: Path, tokenizer: Tokenizer) -> None:
    (repository / "zhi" / FILE_NAME).unlink()
    with pytest.raises(BrokenVoiceError, match="export it again"):
        read(speaking, tokenizer, "你好")


def test_a_tokenizer_with_control_tokens_is_not_used(speaking: Speaking, repository: Path) -> None:
    special = trained()
    special.add_special_tokens(["<|endofprompt|>"])
    special.save(str(repository / "zhi" / FILE_NAME))
    with pytest.raises(BrokenVoiceError, match="added tokens"):
        speaking.whole(ask("你好"))


def test_a_tokenizer_larger_than_the_language_models_text_is_not_used(
    tmp_path: Path, frontend: Frontend, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speaking.Frontend", lambda: frontend)
    shelve(tmp_path, sculptor_json("zhi", generation={"sos": 300}))
    tokenizer.save(str(tmp_path / "zhi" / FILE_NAME))
    with pytest.raises(BrokenVoiceError, match="language model 300"):
        Speaking(tmp_path).whole(ask("你好"))
