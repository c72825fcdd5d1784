"""The three checkpoints of a designed voice are found by what is in them; what is missing is named with its source."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from export.errors import CheckpointError
from export.families.sculptor.folder import find


@pytest.fixture
def checkpoint(spoilable: Path) -> Path:
    return spoilable


def test_the_parts_are_found_whatever_their_folders_are_called(checkpoint: Path) -> None:
    before = [path.name for path in find(checkpoint).sources]
    for number, folder in enumerate(sorted(checkpoint.iterdir())):
        folder.rename(checkpoint / f"part {number}")
    (checkpoint / "notes").mkdir()
    (checkpoint / "README.md").write_text("mine")
    after = find(checkpoint)
    assert (after.llasa / "tokenizer.json").is_file()
    assert (after.cosyvoice / "flow.pt").is_file()
    assert "generator" in (after.xcodec2 / "model.safetensors").read_bytes()[:9999].decode("latin-1")
    assert [path.name for path in after.sources] == before


def test_every_file_that_is_read_is_a_source(small_sculptor: Path) -> None:
    files = {path for path in small_sculptor.rglob("*") if path.is_file()}
    assert set(find(small_sculptor).sources) == files


def test_weights_in_several_files_are_sources_with_their_index(checkpoint: Path) -> None:
    llasa = find(checkpoint).llasa
    whole = llasa / "model.safetensors"
    for number in (1, 2):
        shutil.copy(whole, llasa / f"model-0000{number}-of-00002.safetensors")
    whole.unlink()
    (llasa / "model.safetensors.index.json").write_text("{}")
    names = {path.name for path in find(checkpoint).sources if path.parent == llasa}
    assert {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"} < names


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("llasa", r"lacks a LLaSA checkpoint \(https://huggingface\.co/ASLP-lab/VoiceSculptor-VD, .*CC-BY-NC-4\.0"),
        ("xcodec2", r"lacks an xcodec2 checkpoint \(https://huggingface\.co/HKUSTAudio/xcodec2"),
        ("cosyvoice", r"lacks a CosyVoice2 checkpoint \(https://huggingface\.co/FunAudioLLM/CosyVoice2-0\.5B"),
    ],
)
def test_a_part_that_is_missing_is_told_with_where_it_is_had(checkpoint: Path, part: str, said: str) -> None:
    shutil.rmtree(getattr(find(checkpoint), part))
    with pytest.raises(CheckpointError, match=said) as caught:
        find(checkpoint)
    assert "\n" not in str(caught.value)


def test_an_empty_folder_lacks_all_three_and_none_is_said_to_be_missing_itself(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"LLaSA.*xcodec2.*CosyVoice2"):
        find(tmp_path)
    with pytest.raises(CheckpointError, match="there is no folder"):
        find(tmp_path / "none")


@pytest.mark.parametrize(
    ("part", "files", "said"),
    [
        ("cosyvoice", ["hift.pt", "campplus.onnx"], r"lacks hift\.pt, campplus\.onnx: fetch the whole of https://"),
        ("cosyvoice", ["cosyvoice2.yaml"], r"lacks cosyvoice2\.yaml"),
        ("cosyvoice", ["CosyVoice-BlankEN/merges.txt"], r"lacks CosyVoice-BlankEN/merges\.txt"),
        ("llasa", ["tokenizer.json"], r"lacks tokenizer\.json: fetch .*CC-BY-NC-4\.0"),
        ("llasa", ["model.safetensors"], r"lacks model\.safetensors or model\.safetensors\.index\.json"),
        ("xcodec2", ["model.safetensors"], r"lacks model\.safetensors: fetch .*HKUSTAudio"),
    ],
)
def test_every_file_that_a_part_lacks_is_named(checkpoint: Path, part: str, files: list[str], said: str) -> None:
    folder = getattr(find(checkpoint), part)
    for name in files:
        (folder / name).unlink()
    with pytest.raises(CheckpointError, match=said):
        find(checkpoint)


def test_two_of_a_kind_are_not_guessed_between(checkpoint: Path) -> None:
    shutil.copytree(find(checkpoint).llasa, checkpoint / "another")
    with pytest.raises(CheckpointError, match=r"has a LLaSA checkpoint more than once, .*another.*: leave one"):
        find(checkpoint)


def test_a_language_model_of_another_kind_is_none(checkpoint: Path) -> None:
    path = find(checkpoint).llasa / "config.json"
    path.write_text(json.dumps({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}))
    with pytest.raises(CheckpointError, match="lacks a LLaSA checkpoint"):
        find(checkpoint)
    path.write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json is not valid JSON"):
        find(checkpoint)
