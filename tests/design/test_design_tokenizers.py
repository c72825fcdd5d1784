"""Tokenizers of checkpoints, real and spoiled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from export.errors import CheckpointError
from export.families.sculptor.design import Designer
from export.families.sculptor.tokenizers import TextTokenizer, read_llama, read_qwen, speech_codes

CODES = 40


@pytest.fixture
def llasa(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of LLaSA's tokenizer to spoil."""
    return Path(shutil.copy(checkpoint / "llasa" / "tokenizer.json", tmp_path))


@pytest.fixture
def blank(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of CosyVoice-BlankEN's to spoil."""
    return shutil.copytree(checkpoint / "blank", tmp_path / "CosyVoice-BlankEN")


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def check_refused(folder: Path, message: str, read: Callable[[Path], TextTokenizer] = read_llama) -> None:
    """The error is one line that begins with the file and has the message."""
    with pytest.raises(CheckpointError) as error:
        read(folder)
    assert message in str(error.value)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


def test_ordinary_text_has_the_ids_that_the_whole_tokenizer_gives_it(checkpoint: Path, designer: Designer) -> None:
    text = "这是一位年轻的女性, it's 2026年！\n\n  声音 清亮…"
    whole = Tokenizer.from_file(str(checkpoint / "llasa" / "tokenizer.json"))
    assert designer.llasa.encode(text) == whole.encode(text, add_special_tokens=False).ids


def test_marks_are_kept_with_their_ids(designer: Designer, checkpoint: Path) -> None:
    content = json.loads((checkpoint / "llasa" / "tokenizer.json").read_text())
    assert designer.llasa.marks == {entry["content"]: entry["id"] for entry in content["added_tokens"]}
    assert designer.llasa.rows == 1 + max(designer.llasa.marks.values())
    assert json.loads(designer.llasa.text)["added_tokens"] == []
    assert set(designer.text.marks) == {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}
    assert designer.text.rows == 703


def test_where_the_codes_of_speech_are(designer: Designer) -> None:
    codes = speech_codes(designer.llasa)
    assert (codes.first, codes.count) == (designer.llasa.marks["<|s_0|>"], CODES)
    assert codes.end == designer.llasa.marks["<|SPEECH_GENERATION_END|>"]


def test_codes_that_do_not_follow_each_other_are_refused(llasa: Path) -> None:
    def swap(content: dict[str, Any]) -> None:
        three, four = (e for e in content["added_tokens"] if e["content"] in ("<|s_3|>", "<|s_4|>"))
        three["id"], four["id"] = four["id"], three["id"]

    change(llasa, swap)
    with pytest.raises(CheckpointError, match=r"<\|s_3\|> is \d+ instead of \d+; fetch it again"):
        speech_codes(read_llama(llasa.parent))


def test_a_tokenizer_of_another_model_is_refused(designer: Designer) -> None:
    with pytest.raises(CheckpointError, match=r"has no <\|s_0\|>: it is not the tokenizer of a LLaSA checkpoint"):
        speech_codes(designer.text)


def test_qwens_two_ways_of_writing_are_one(blank: Path, tmp_path: Path, designer: Designer) -> None:
    whole = json.loads(designer.text.text)
    whole["added_tokens"] = [{"id": i, "content": text} for text, i in designer.text.marks.items()]
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
    assert read_qwen(tmp_path).text == read_qwen(blank).text == designer.text.text
    assert read_qwen(tmp_path).marks == designer.text.marks


def test_merges_may_have_no_head(blank: Path, designer: Designer) -> None:
    path = blank / "merges.txt"
    path.write_text(path.read_text().partition("\n")[2])
    assert read_qwen(blank).text == designer.text.text


def test_a_mark_that_is_a_text_too_comes_out_of_no_text(llasa: Path) -> None:
    """Some checkpoints list their marks twice; Llama 3 then takes a word as it finds it."""
    word = "ab"

    def hide(content: dict[str, Any]) -> None:
        content["model"]["ignore_merges"] = True
        content["model"]["vocab"][word] = 5000
        content["added_tokens"].append({"id": 5000, "content": word})

    change(llasa, hide)
    tokenizer = read_llama(llasa.parent)
    assert tokenizer.marks[word] == 5000
    assert 5000 not in tokenizer.encode(word)


def test_a_folder_without_a_tokenizer_says_what_to_download(tmp_path: Path) -> None:
    check_refused(tmp_path, "download vocab.json, merges.txt and tokenizer_config.json of CosyVoice2-0.5B's", read_qwen)
    check_refused(tmp_path, "cannot read")


def added(entry: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["added_tokens"].append(entry)


def vocabulary(**entries: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["model"]["vocab"].update(entries)


SPOILED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another model": (lambda c: c["model"].update(type="Unigram"), "its model is not BPE"),
    "no model": (lambda c: c.pop("model"), "its model is not BPE"),
    "dropout": (lambda c: c["model"].update(dropout=0.5), "its BPE has dropout"),
    "bytes outside": (lambda c: c["model"].update(byte_fallback=True), "its BPE has byte_fallback"),
    "no vocabulary": (lambda c: c["model"].update(vocab=["a"]), "its vocabulary is not one of texts"),
    "a negative number": (vocabulary(new=-1), "its vocabulary is not one of texts"),
    "a huge number": (vocabulary(new=1 << 40), "its vocabulary is not one of texts"),
    "a number that is none": (vocabulary(new=True), "its vocabulary is not one of texts"),
    "a number twice": (vocabulary(new=5), "two of its texts have the same number"),
    "a mark's number": (added({"id": 5, "content": "<|new|>"}), "two of its texts have the same number"),
    "two marks of a number": (added({"id": 801, "content": "<|new|>"}), "two of its added tokens have the same"),
    "a mark without text": (added({"id": 9000, "content": ""}), "one of its added tokens has no text"),
    "a mark of two numbers": (added({"id": 9000, "content": "<|s_1|>"}), "one of its added tokens has no text"),
    "a mark without number": (added({"content": "<|new|>"}), "one of its added tokens has no text"),
    "no mark": (added(7), "one of its added tokens has no text"),
    "marks in no list": (lambda c: c.update(added_tokens={"a": 1}), "added_tokens is no list"),
    "a letter less": (lambda c: c["model"]["vocab"].pop("Ġ"), "its vocabulary has no Ġ"),
    "merges of nothing": (lambda c: c["model"].update(merges=[["Q", "nothing"]]), "is no tokenizer of Llama 3"),
    "merges in no list": (lambda c: c["model"].update(merges=3), "is no tokenizer of Llama 3"),
    "other normalisation": (lambda c: c.update(normalizer={"type": "Lowercase"}), "it normalises text otherwise"),
    "words cut otherwise": (lambda c: c.update(pre_tokenizer={"type": "Whitespace"}), "it cuts text into words otherw"),
    "no cut": (lambda c: c.update(pre_tokenizer=None), "it cuts text into words otherwise"),
    "no bytes": (
        lambda c: c["pre_tokenizer"]["pretokenizers"].pop(),
        "it does not spell text byte by byte",
    ),
    "a pattern that is none": (
        lambda c: c["pre_tokenizer"]["pretokenizers"][0].update(pattern={"Regex": "(["}),
        "is no tokenizer of Llama 3",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_tokenizer_is_refused(llasa: Path, spoil: Callable[[dict[str, Any]], object], message: str) -> None:
    change(llasa, spoil)
    check_refused(llasa.parent, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not valid JSON; fetch it again"),
        (b"[" * 100_000, "is not valid JSON; fetch it again"),
        (b"\xff", "is not text in UTF-8; fetch it again"),
        (b"[]", "fetch it again"),
        (b"version https://git-lfs.github.com/spec/v1\nsize 17209920\n", "is only a Git LFS pointer"),
    ],
)
def test_bytes_that_are_no_tokenizer_are_refused(llasa: Path, content: bytes, message: str) -> None:
    llasa.write_bytes(content)
    check_refused(llasa.parent, message)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.json", '{"a": "b"}', "its vocabulary is not one of texts"),
        ("merges.txt", "#version: 0.2\nQQ QQ\n", "is no tokenizer of Llama 3 or Qwen2"),
        ("merges.txt", "#version: 0.2\nword\n", "is no tokenizer of Llama 3 or Qwen2"),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"-1": {"content": "a"}}}', "has no numbers"),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"9": "a"}}', "one of its added tokens has no text"),
        ("tokenizer_config.json", '{"added_tokens_decoder": []}', "has no numbers"),
    ],
)
def test_spoiled_files_of_qwen_are_refused(blank: Path, name: str, content: str, message: str) -> None:
    (blank / name).write_text(content)
    check_refused(blank, message, read_qwen)
