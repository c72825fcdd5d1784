"""Checkpoints of designed voices that were never trained have the names of the real ones and speak in their lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from export.errors import CheckpointError
from export.families.sculptor import cosyvoice_lm, llasa
from export.families.sculptor.cosyvoice_config import FILE_NAME, CosyVoiceConfig
from export.families.sculptor.design import SENTENCE
from export.families.sculptor.folder import BLANK, SculptorFolder, find
from export.families.sculptor.language_model import LanguageModelPart
from export.families.sculptor.tokenizers import read_llama, read_qwen, speech_codes
from export.families.sculptor.untrained import write_untrained
from export.untrained_command import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> SculptorFolder:
    made = tmp_path_factory.mktemp("untrained") / "checkpoint"
    write_untrained(made, seed=3, size="small")
    return find(made)


def end_against_codes(part: LanguageModelPart, prompt: list[int], codes: int) -> float:
    """How much likelier than the likeliest code the end is after so many codes, as a difference of logits."""
    vocabulary, sizes = part.vocabulary, part.sizes
    drawn = np.random.default_rng(codes).integers(0, vocabulary.codes, codes)
    ids = torch.tensor([[*prompt, *(vocabulary.first_code + int(code) for code in drawn)]], dtype=torch.int32)
    cache = torch.zeros(1, sizes.layers, sizes.key_heads, 1, sizes.head_size)
    nothing = torch.zeros(1, 1, dtype=torch.int32)
    with torch.no_grad():
        logits: Tensor = part.module(ids, torch.tensor([[ids.shape[1]]]), nothing, cache, cache)[0][0]
    return float(logits[vocabulary.codes :].max() - logits[: vocabulary.codes].max())


def test_llasa_ends_by_itself_after_about_as_many_codes_as_it_was_told(folder: SculptorFolder) -> None:
    tokenizer = read_llama(folder.llasa)
    part = llasa.part(folder.llasa, speech_codes(tokenizer), tokenizer.rows)
    prompt = tokenizer.encode(f"Convert the text to speech:年轻女性，声音清晰自然{SENTENCE}")
    few, many = (end_against_codes(part, prompt, round(times * len(prompt))) for times in (0.6, 1.6))
    assert few < 0 < many


def test_cosyvoice2s_language_model_writes_longer_the_longer_a_text_is(folder: SculptorFolder) -> None:
    config = CosyVoiceConfig.read(folder.cosyvoice / FILE_NAME)
    part = cosyvoice_lm.part(folder.cosyvoice, config.language_model)
    tokenizer = read_qwen(folder.cosyvoice / BLANK)
    start = part.sizes.vocabulary
    for text in ("你好，世界。", SENTENCE * 2):
        ids = [start, *tokenizer.encode(SENTENCE + text), start + 1]
        few, many = (end_against_codes(part, ids, round(times * len(ids))) for times in (2.5, 6.0))
        assert few < 0 < many


def test_the_tokenizers_are_real_and_as_small_as_their_size(folder: SculptorFolder) -> None:
    llama, qwen = read_llama(folder.llasa), read_qwen(folder.cosyvoice / BLANK)
    assert len(SENTENCE) / 2 < len(qwen.encode(SENTENCE)) < 2 * len(SENTENCE)
    assert len(qwen.encode("鑫🙂")) >= 4, "what it never learnt is spelled byte by byte"
    assert llama.marks["<|SPEECH_GENERATION_END|>"] - llama.marks["<|begin_of_text|>"] == 261
    assert {"<|女性|>", "<|endofprompt|>", "<|s_1023|>"} <= set(llama.marks)


def test_a_seed_gives_the_same_files_again_and_another_one_others(folder: SculptorFolder, tmp_path: Path) -> None:
    write_untrained(tmp_path / "again", seed=3, size="small")
    write_untrained(tmp_path / "other", seed=4, size="small")
    for mine, again, other in zip(
        folder.sources, find(tmp_path / "again").sources, find(tmp_path / "other").sources, strict=True
    ):
        if mine.suffix in (".pt", ".safetensors", ".onnx"):
            assert mine.read_bytes() == again.read_bytes()
            assert mine.read_bytes() != other.read_bytes()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(CheckpointError, match="not an empty folder"):
        write_untrained(tmp_path, seed=0, size="small")
    assert [item.name for item in tmp_path.iterdir()] == ["precious"]


def test_the_command_says_where_the_checkpoint_is(tmp_path: Path) -> None:
    made = tmp_path / "checkpoint"
    result = CliRunner().invoke(app, ["sculptor", "--out", str(made), "--small"])
    assert result.exit_code == 0, result.output
    assert str(made) in result.output.replace("\n", "")
    assert find(made).cosyvoice.is_dir()
