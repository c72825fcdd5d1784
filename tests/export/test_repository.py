"""A voice comes into a repository whole, and takes no other's place unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from export.bundle import Bundle, Stage
from export.errors import ExportError
from export.families.fastspeech2 import demo
from export.families.fastspeech2.stages import melgan_spec, sample
from export.repository import write_voice
from export.specs import Precision
from export.voice import VoiceFile


class Upsampled(nn.Module):
    """A vocoder of two bands that repeats the first one."""

    def forward(self, mel):
        return mel[:, :, :1].expand(-1, -1, 2).flatten(1)


def bundle(tmp_path, name="anna", source="weights", last=Upsampled):
    """A voice of two stages that are exported in seconds; its ensemble names stages that are not there."""
    file = tmp_path / "checkpoint.bin"
    file.write_text(source)
    config = replace(demo.VOCODER_CONFIG, bands=2, scales=(2,), channels=(8, 8), subbands=1)
    roles = {"melgan": Upsampled, "encoder": Upsampled, "decoder": last}
    stages = [Stage(melgan_spec(config, role), module(), sample) for role, module in roles.items()]
    voice = replace(demo.voice(name, 2), qualities={"high": "melgan"}, stages=("melgan", "encoder", "decoder"))
    return Bundle(voice, tuple(stages), {"phone": {"a": 1}}, (file,))


def write(made, repository, **options):
    told = []
    write_voice(made, repository, told.append, **options)
    return told


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    write(bundle(tmp_path), folder)
    return folder


def test_a_voice_is_described_beside_its_stages(repository):
    file = VoiceFile.read(repository / "anna" / "voice.json")
    assert file.voice.stages == ("melgan", "encoder", "decoder")
    assert list(file.sources) == ["checkpoint.bin"]
    assert {path.name for path in repository.iterdir()} == {"anna", "anna_melgan", "anna_encoder", "anna_decoder"}
    assert (repository / "anna" / "1").is_dir()


def test_a_voice_may_be_exported_again_from_its_own_checkpoint(tmp_path, repository):
    write(bundle(tmp_path), repository)


def graphs(repository):
    return sorted(path.name for path in (repository / "anna_melgan" / "1").glob("*.onnx"))


def test_precisions_that_are_no_longer_asked_for_are_taken_away_and_no_config_names_them(tmp_path, repository):
    card = repository / "anna_melgan" / "configs" / "h100.pbtxt"
    assert graphs(repository) == ["model.fp16.onnx", "model.onnx"]
    assert 'default_model_filename: "model.fp16.onnx"' in card.read_text()
    told = write(bundle(tmp_path).only([Precision.FP32]), repository)
    assert graphs(repository) == ["model.onnx"]
    assert "removed anna_melgan/1/model.fp16.onnx, a precision that the stage is not to have" in told
    assert 'default_model_filename: "model.onnx"' in card.read_text()


def test_a_precision_that_no_stage_has_is_refused(tmp_path):
    with pytest.raises(ExportError, match="can be had in int8: leave out --precision int8"):
        bundle(tmp_path).only([Precision.FP16, Precision.INT8])


def test_another_checkpoint_does_not_take_a_voices_name_unasked(tmp_path, repository):
    before = names(repository)
    with pytest.raises(ExportError, match="has a voice 'anna' of another checkpoint"):
        write(bundle(tmp_path, source="others"), repository)
    assert names(repository) == before
    write(bundle(tmp_path, source="others"), repository, replace=True)
    assert VoiceFile.read(repository / "anna" / "voice.json").sources != {}


def test_what_the_voice_before_had_besides_is_taken_away(tmp_path, repository):
    made = bundle(tmp_path)
    voice = replace(made.voice, qualities={"high": "encoder"}, stages=("encoder", "decoder"))
    told = write(Bundle(voice, made.stages[1:], made.symbols, made.sources), repository)
    assert not (repository / "anna_melgan").exists()
    assert "removed anna_melgan, which the voice had before" in told


@pytest.mark.parametrize("taken", ["bert", "bert_decoder"])
def test_a_model_of_that_name_is_not_written_over(tmp_path, repository, taken):
    (repository / taken).mkdir()
    with pytest.raises(ExportError, match=f"has a model '{taken}' already"):
        write(bundle(tmp_path, name="bert"), repository)


def test_a_stage_that_fails_leaves_the_repository_as_it_was(tmp_path, repository):
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    with pytest.raises(ExportError, match="decoder: output audio is"):
        write(bundle(tmp_path, last=nn.Identity), repository)
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before
