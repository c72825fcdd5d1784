"""Checkpoints that were never trained have the files, tensors and lengths of real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from export.checkpoint_files import read_yaml
from export.errors import CheckpointError
from export.families.sambert.acoustic import AcousticModel
from export.families.sambert.config import SambertConfig
from export.families.sambert.decoder import Decoder
from export.families.sambert.encoder import Encoder
from export.families.sambert.files import SambertFiles
from export.families.sambert.layout import find
from export.families.sambert.shapes import acoustic_shapes, vocoder_shapes
from export.families.sambert.symbols import tables
from export.families.sambert.untrained import acoustic_params, vocoder_params, write_untrained
from export.untrained_command import app
from export.vocoders.kantts_hifigan import kantts_generator

DATA = Path(__file__).parents[1] / "data" / "sambert"


def made(folder: Path, sample_rate: int = 16000, **options: Any) -> SambertFiles:
    write_untrained(folder, sample_rate, **({"seed": 1, "size": "small"} | options))
    return find(folder)


def shapes(state: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def test_the_rules_give_the_names_and_shapes_of_upstreams_files() -> None:
    files = find(DATA / "nsf16k")
    vocabularies = SambertConfig.read(files.params, files.acoustic).vocabularies
    assert acoustic_shapes(files.params, vocabularies) == shapes(files.acoustic)
    assert vocoder_shapes(files.vocoder_params) == shapes(files.vocoder)
    voc = DATA / "causal24k" / "voices" / "F7" / "voc"
    params = read_yaml(voc / "config.yaml")["Model"]["Generator"]["params"]
    state = torch.load(voc / "ckpt" / "checkpoint_200.pth", weights_only=True)["model"]["generator"]
    assert vocoder_shapes(params) == shapes(state)


def test_a_full_size_voice_has_the_real_ones_tensors() -> None:
    rows = {"sy": 147, "tone": 10, "syllable_flag": 8, "word_segment": 8, "emo_category": 36, "speaker_category": 9}
    acoustic = acoustic_shapes(acoustic_params(16000, nsf=False, se=False, size="full"), rows)
    assert len(acoustic) == 395
    assert sum(int(np.prod(shape)) for shape in acoustic.values()) == 12_706_947
    assert acoustic["mel_decoder.mel_dec.pnca.11.pnca_attn.w_h_kv.weight"] == (256, 160)
    vocoder = vocoder_shapes(vocoder_params(16000, nsf=False, se=False, causal=True, size="full"))
    assert len(vocoder) == 318
    assert vocoder["transpose_upsamples.0.1.deconv.weight_v"] == (256, 128, 20)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize(("nsf", "se", "causal"), [(False, False, True), (True, False, False), (True, True, True)])
def test_every_variant_is_read_back_and_is_audible(
    tmp_path: Path, sample_rate: int, nsf: bool, se: bool, causal: bool
) -> None:
    files = made(tmp_path / "a", sample_rate, nsf=nsf, se=se, causal=causal)
    config = SambertConfig.read(files.params, files.acoustic)
    assert files.sample_rate == sample_rate
    assert (files.speaker_embedding is None) != se
    assert ("spk_tokenizer.weight" in files.acoustic) != se
    assert (files.pitch_statistics is not None) == (nsf and not se)
    assert list(tables(files.symbols, config.vocabularies)) == list(files.symbols)
    assert acoustic_shapes(files.params, config.vocabularies) == shapes(files.acoustic)
    vocoder = kantts_generator(files.vocoder_params, files.vocoder)
    if not nsf:
        mel = torch.randn(1, 20, config.bands, generator=torch.Generator().manual_seed(0))
        audio = vocoder(mel)
        assert audio.shape == (1, 20 * files.audio["hop_length"])
        assert audio.abs().max() < 1.0
        assert audio.std() > 0.005


@pytest.mark.parametrize("seed", range(6))
def test_phones_last_5_to_15_frames_and_breaks_0_to_3_and_spectrograms_stay_in_bounds(
    tmp_path: Path, seed: int
) -> None:
    files = made(tmp_path / "a", seed=seed)
    config = SambertConfig.read(files.params, files.acoustic)
    model = AcousticModel.load(config, files.acoustic, "the checkpoint")
    with np.load(DATA / "nsf16k" / "reference_beijing.npz") as reference:
        features = [reference["ling"], reference["emo"][..., None], reference["spk"][..., None]]
    units = torch.from_numpy(np.concatenate([*features, np.full_like(features[1], 100)], axis=-1).astype(np.int32))
    lengths, ones = torch.tensor([[units.shape[1]]], dtype=torch.int32), torch.ones(1, 1)
    with torch.no_grad():
        hidden, durations, _, _ = Encoder(model, neutral=1, variation=0.26)(units, lengths, 0 * ones, ones)
        counts = durations[0].round().to(torch.int64)
        alignment = torch.repeat_interleave(torch.arange(units.shape[1], dtype=torch.int32), counts)[None]
        alignment = alignment[:, : alignment.shape[1] // config.outputs_per_step * config.outputs_per_step]
        mel = Decoder(model)(hidden, alignment, torch.tensor([[alignment.shape[1]]], dtype=torch.int32))
    breaks = units[0, :, 2] == 2
    assert breaks.any()
    assert 5 <= durations[0, ~breaks].min() <= durations[0, ~breaks].max() <= 15
    assert 0 <= durations[0, breaks].min() <= durations[0, breaks].max() <= 3
    assert mel.abs().max() < 10
    assert mel.std(dim=1).min() > 0.01


def test_a_seed_gives_the_same_weights_again_and_each_voice_its_own(tmp_path: Path) -> None:
    write_untrained(tmp_path / "a", 16000, seed=3, size="small", voices=("one", "two"))
    one, two = find(tmp_path / "a"), find(tmp_path / "a", "two")
    again = made(tmp_path / "b", seed=3)
    assert all(torch.equal(value, again.acoustic[name]) for name, value in one.acoustic.items())
    assert all(torch.equal(value, again.vocoder[name]) for name, value in one.vocoder.items())
    assert not torch.equal(one.acoustic["text_encoder.sy_emb.weight"], two.acoustic["text_encoder.sy_emb.weight"])


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(CheckpointError, match="not an empty folder"):
        write_untrained(tmp_path, 16000, seed=0, size="small")
    assert [item.name for item in tmp_path.iterdir()] == ["precious"]


def test_a_rate_that_no_voice_has_and_voices_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="use 8000, 16000, 24000, 48000"):
        write_untrained(tmp_path / "a", 22050, seed=0)
    with pytest.raises(CheckpointError, match="each another one"):
        write_untrained(tmp_path / "a", 16000, seed=0, voices=("one", "one"))
    assert not list(tmp_path.iterdir())


def test_the_command_says_where_the_checkpoint_is(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    result = CliRunner().invoke(app, ["sambert", "--out", str(folder), "--sample-rate", "8000", "--small", "--nsf"])
    assert result.exit_code == 0, result.output
    assert str(folder) in result.output.replace("\n", "")
    assert find(folder).sample_rate == 8000
