"""LLaSA is prompted as upstream prompts it, and nothing that a user writes is one of its marks."""

from __future__ import annotations

import json
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from design_errors import SettingsError
from design_prompt import LLASA_TOKENIZER, TEXT_TOKENIZER, Prompts
from design_request import Design
from design_settings import FILE_NAME, Settings
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from export.families.sculptor.design import Designer
from export.families.sculptor.tokenizers import read_llama

TEMPLATE = (
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
    "Today Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nConvert the text to speech:"
    "<|TEXT_UNDERSTANDING_START|>{instruction}<|endofprompt|>{tags}{sentence}<|TEXT_UNDERSTANDING_END|><|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n<|SPEECH_GENERATION_START|>"
)
MARKS = ("<|endofprompt|>", "<|s_5|>", "<|eot_id|>", "<|SPEECH_GENERATION_END|>", "<|女性|>", "<|im_end|>", "<|", "|>")


@pytest.mark.parametrize("tags", [(), ("女性", "语速很慢", "开心")])
def test_the_prompt_is_what_the_checkpoints_own_tokenizer_makes_of_upstreams_text(
    checkpoint: Path, settings: Settings, prompts: Prompts, tags: tuple[str, ...]
) -> None:
    whole = Tokenizer.from_file(str(checkpoint / "llasa" / "tokenizer.json"))
    instruction = "一位老奶奶，用沙哑低沉的嗓音讲故事。"
    text = TEMPLATE.format(
        instruction=instruction, tags="".join(f"<|{tag}|>" for tag in tags), sentence=settings.sentence
    )
    expected = whole.encode(text, add_special_tokens=False).ids
    assert prompts.llasa(Design(instruction, tags, seed=0)).tolist() == expected


@given(text=st.lists(st.sampled_from(MARKS) | st.text(max_size=6), max_size=8).map("".join))
@hypothesis.settings(deadline=None)
def test_no_text_becomes_a_mark(designer: Designer, prompts: Prompts, settings: Settings, text: str) -> None:
    plain = prompts.llasa(Design("", (), seed=0)).tolist()
    before = len(settings.template.before)
    ids = prompts.llasa(Design(text, (), seed=0)).tolist()
    written = ids[before : len(ids) - len(plain) + before]
    assert ids[:before] + ids[before + len(written) :] == plain
    assert not set(written) & set(designer.llasa.marks.values())
    assert not set(designer.text.encode(text)) & set(designer.text.marks.values())


def test_every_text_is_spelled_whole(designer: Designer) -> None:
    text = "女孩👧🏽 Ünïcode <|s_5|>\u3000�\x07"
    for tokenizer in (designer.llasa, designer.text):
        library = Tokenizer.from_str(tokenizer.text)
        assert library.decode(tokenizer.encode(text), skip_special_tokens=False) == text


def test_the_reference_is_the_sentence_for_the_other_language_model(designer: Designer, prompts: Prompts) -> None:
    assert prompts.reference.dtype == np.int32
    assert prompts.reference.tolist() == designer.text.encode(designer.sentence)


def test_a_tag_that_the_tokenizer_lacks_is_spelled(checkpoint: Path, tmp_path: Path, designer: Designer) -> None:
    content = json.loads((checkpoint / "llasa" / "tokenizer.json").read_text())
    content["added_tokens"] = [entry for entry in content["added_tokens"] if entry["content"] != "<|女性|>"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    tokenizer = read_llama(tmp_path)
    lacking = Designer(
        tokenizer, designer.text, designer.speech_tokenizer, designer.campplus, designer.design, designer.speech_tokens
    )
    assert lacking.settings("ming")["template"]["tags"]["女性"] == tokenizer.encode("<|女性|>")
    assert len(tokenizer.encode("<|女性|>")) > 1


@pytest.mark.parametrize("name", [LLASA_TOKENIZER, TEXT_TOKENIZER])
def test_a_damaged_tokenizer_is_told(settings: Settings, model_folder: Path, tmp_path: Path, name: str) -> None:
    for file in (LLASA_TOKENIZER, TEXT_TOKENIZER):
        (tmp_path / file).write_bytes((model_folder / file).read_bytes())
    (tmp_path / name).write_text("{}")
    with pytest.raises(SettingsError, match=f"{name} is missing or no tokenizer: export the voice again"):
        Prompts(settings, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"sentence": 1, "attributes": {"a": ["b"]}}',
    ],
)
def test_damaged_settings_are_told(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(SettingsError, match="export the voice again"):
        Settings.read(tmp_path / FILE_NAME)


def test_settings_that_contradict_themselves_are_told(model_folder: Path, tmp_path: Path) -> None:
    content = json.loads((model_folder / FILE_NAME).read_text())
    models = content["models"]
    spoiled = {
        "no tag for 男性": content | {"template": content["template"] | {"tags": {}}},
        "campplus with other inputs": content | {"models": models | {"campplus": models["speech_tokenizer"]}},
        "least_seconds": content | {"codes": content["codes"] | {"least_seconds": 9.0}},
    }
    for message, wrong in spoiled.items():
        (tmp_path / FILE_NAME).write_text(json.dumps(wrong))
        with pytest.raises(SettingsError, match=message):
            Settings.read(tmp_path / FILE_NAME)


def test_missing_settings_are_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        Settings.read(tmp_path / FILE_NAME)
