"""Sambert voices in every layout they come in, and one sentence for each checkpoint that is none."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from export.errors import CheckpointError
from export.families.sambert.config import EMBEDDINGS, SambertConfig
from export.families.sambert.layout import find
from export.families.sambert.symbols import MANDARIN, tables
from export.families.sambert.untrained import write_untrained
from export.vocoders.kantts_hifigan import kantts_generator

NSF = Path(__file__).parents[1] / "data" / "sambert" / "nsf16k"
SPEAKERS = ("F7", "F74", "FBYN", "FRXL", "M7", "xiaoyu")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint with the voices F7 and zhitian."""
    folder = tmp_path_factory.mktemp("written") / "checkpoint"
    write_untrained(folder, 16000, seed=1, size="small", voices=("F7", "zhitian"))
    return folder


@pytest.fixture
def checkpoint(written: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return shutil.copytree(written, tmp_path / "checkpoint")


@pytest.fixture
def voice(checkpoint: Path) -> Path:
    """The folder of its first voice."""
    return checkpoint / "voices" / "F7"


def change(path: Path, edit: Callable[[Any], None]) -> None:
    """Edit a YAML or JSON file, or a checkpoint, in place."""
    if path.suffix == ".pth":
        content = torch.load(path, weights_only=True)
        edit(content)
        torch.save(content, path)
        return
    content = yaml.safe_load(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_the_layout_of_today(written: Path) -> None:
    files = find(NSF)
    assert (files.voice, files.sample_rate, files.default_speaker, files.speakers) == ("F7", 16000, "F7", SPEAKERS)
    assert files.params["num_mels"] == 82
    assert files.audio["hop_length"] == 200
    assert files.pitch_statistics == (200.0, 40.0)
    assert files.speaker_embedding is None
    assert {path.name for path in files.sources} == {
        "audio_config.yaml",
        "config.yaml",
        "checkpoint_100.pth",
        "checkpoint_200.pth",
        "mvn.npy",
    }
    assert find(written).pitch_statistics is None


def test_the_first_voice_is_the_default_and_another_is_found_by_its_name(written: Path) -> None:
    first, second = find(written), find(written, "zhitian")
    assert (first.voice, second.voice) == ("F7", "zhitian")
    assert not torch.equal(first.acoustic["emo_tokenizer.weight"], second.acoustic["emo_tokenizer.weight"])
    # No speaker is called as that voice is.
    assert second.default_speaker == "F7"


def test_a_voice_called_as_a_speaker_speaks_as_that_one(checkpoint: Path) -> None:
    change(checkpoint / "voices" / "voices.json", lambda content: content.update(voices=["xiaoyu"]))
    (checkpoint / "voices" / "F7").rename(checkpoint / "voices" / "xiaoyu")
    assert find(checkpoint).default_speaker == "xiaoyu"


def test_the_folder_of_a_single_voice_will_do(written: Path, voice: Path) -> None:
    assert find(written / "voices" / "zhitian").voice == "zhitian"
    assert find(written / "voices" / "zhitian", "zhitian").voice == "zhitian"
    with pytest.raises(CheckpointError, match="is the voice zhitian alone"):
        find(written / "voices" / "zhitian", "F7")


def test_the_checkpoint_of_the_most_steps_is_read(voice: Path) -> None:
    ckpt = voice / "am" / "ckpt"
    for steps in ("9", "80", "100"):
        shutil.copy(ckpt / "checkpoint_0.pth", ckpt / f"checkpoint_{steps}.pth")
    (ckpt / "checkpoint_latest.pth").write_text("not one of them")
    assert ckpt / "checkpoint_100.pth" in find(voice).sources


def test_the_layout_of_fine_tuning(voice: Path, tmp_path: Path) -> None:
    base = tmp_path / "pretrained" / "basemodel_16k"
    shutil.copytree(voice / "am", base / "sambert")
    shutil.copytree(voice / "voc", base / "hifigan")
    for folder in (base.parent, base):
        files = find(folder)
        assert (files.voice, files.default_speaker, files.sample_rate) == ("basemodel_16k", "F7", 16000)
    with pytest.raises(CheckpointError, match="no voice F7, only basemodel_16k"):
        find(base.parent, "F7")


def test_fine_tuned_speakers_without_the_usual_one_start_with_the_first(voice: Path) -> None:
    def rename(config: Any) -> None:
        config["linguistic_unit"]["speaker_list"] = "SSB0009, F74,FBYN,FRXL,M7,xiaoyu"

    change(voice / "am" / "config.yaml", rename)
    folder = voice.rename(voice.parent / "mine")
    assert (find(folder).default_speaker, find(folder).speakers[1]) == ("SSB0009", "F74")


def test_a_voice_made_from_a_recording_has_its_embedding(tmp_path: Path) -> None:
    write_untrained(tmp_path / "a", 16000, seed=1, size="small", nsf=True, se=True)
    files = find(tmp_path / "a")
    assert files.speaker_embedding is not None
    assert (files.speaker_embedding.shape, files.speaker_embedding.dtype) == ((192,), np.float32)
    embedding = tmp_path / "a" / "voices" / "F7" / "am" / "se.npy"
    np.save(embedding, np.ones((2, 192), np.float32))
    with pytest.raises(CheckpointError, match=r"shape \[2, 192\]; one embedding of 192"):
        find(tmp_path / "a")
    embedding.unlink()
    with pytest.raises(CheckpointError, match=r"put its se\.npy into"):
        find(tmp_path / "a")


def test_a_source_needs_the_statistics_of_its_pitch(tmp_path: Path) -> None:
    folder = shutil.copytree(NSF / "voices" / "F7", tmp_path / "F7")
    statistics = folder / "am" / "mvn.npy"
    np.save(statistics, np.array([200.0, 0.0]))
    with pytest.raises(CheckpointError, match="a deviation above 0"):
        find(folder)
    statistics.unlink()
    with pytest.raises(CheckpointError, match=r"put its mvn\.npy into"):
        find(folder)


def legacy(folder: Path, voice: Path) -> Path:
    """A voice in the layout of ModelScope's first release."""
    files = find(voice)
    archived = folder / "work" / "voices" / "F7"
    dictionaries = archived / "dict"
    dictionaries.mkdir(parents=True)
    for feature in EMBEDDINGS:
        symbols = files.symbols[feature]
        (dictionaries / f"{feature}.txt").write_text("".join(f"{symbol}\n" for symbol in symbols))
    renamed = {
        name.replace("transpose_upsamples", "ups").replace(".1.deconv", ".deconv")
        .replace("repeat_upsamples", "repeat_ups").replace("conv_blocks", "resblocks"): value
        for name, value in files.vocoder.items()
    }  # fmt: skip
    for part, state in (("am", {"fsnet": files.acoustic}), ("vocoder", {"generator": renamed})):
        (archived / part).mkdir()
        torch.save(state, archived / part / "pytorch_model.bin")
    (archived.parent / "voices.json").write_text(json.dumps({"voices": ["F7"]}))
    generator, audio = files.vocoder_params, files.audio
    unit = {"lfeat_type_list": ",".join(EMBEDDINGS)} | {feature: f"dict/{feature}.txt" for feature in EMBEDDINGS}
    vocoder = {
        "resblock": "1",
        "upsample_rates": generator["upsample_scales"],
        "upsample_kernel_sizes": generator["upsample_kernal_sizes"],
        "upsample_initial_channel": generator["channels"],
        "resblock_kernel_sizes": generator["resblock_kernel_sizes"],
        "resblock_dilation_sizes": generator["resblock_dilations"],
        "num_mels": audio["n_mels"],
        "n_fft": audio["n_fft"],
        "hop_size": audio["hop_length"],
        "win_size": audio["win_length"],
        "sampling_rate": audio["sampling_rate"],
        "fmin": audio["fmin"],
        "fmax": audio["fmax"],
    }
    model = {"lang_type": "pinyin", "am": {"am": files.params, "linguistic_unit": unit}, "vocoder": vocoder}
    (folder / "configuration.json").write_text(json.dumps({"model": model}))
    with zipfile.ZipFile(folder / "voices.zip", "w") as archive:
        for path in sorted((folder / "work").rglob("*")):
            archive.write(path, path.relative_to(folder / "work"))
    shutil.rmtree(folder / "work")
    return folder


def test_a_voice_of_the_first_release_is_as_one_of_today(voice: Path, tmp_path: Path) -> None:
    today, first = find(voice), find(legacy(tmp_path / "legacy", voice))
    assert (first.voice, first.params, first.symbols) == (today.voice, today.params, today.symbols)
    assert (first.sample_rate, first.default_speaker) == (16000, "F7")
    assert all(first.audio[name] == today.audio[name] for name in first.audio)
    assert all(torch.equal(value, first.acoustic[name]) for name, value in today.acoustic.items())
    assert {path.name for path in first.sources} == {"configuration.json", "voices.zip"}
    mel = torch.randn(1, 8, 80, generator=torch.Generator().manual_seed(0))
    audio = [kantts_generator(files.vocoder_params, files.vocoder)(mel) for files in (today, first)]
    torch.testing.assert_close(*audio)


def test_an_unpacked_voice_of_the_first_release_will_do(voice: Path, tmp_path: Path) -> None:
    folder = legacy(tmp_path / "legacy", voice)
    with zipfile.ZipFile(folder / "voices.zip") as archive:
        archive.extractall(folder)
    assert find(folder).voice == find(folder / "voices" / "F7").voice == "F7"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda model: model.pop("am"), "no am but lang_type, vocoder"),
        (lambda model: model.pop("vocoder"), "no vocoder but"),
        (lambda model: model["vocoder"].pop("hop_size"), "no hop_size under vocoder"),
        (lambda model: model["am"]["linguistic_unit"].update(sy="../../../../etc/passwd"), "path outside the voice"),
        (lambda model: model["am"]["linguistic_unit"].update(sy="dict/none"), r"cannot read the symbols of sy"),
    ],
)
def test_a_wrong_configuration_of_the_first_release_is_told(
    voice: Path, tmp_path: Path, edit: Callable[[Any], None], said: str
) -> None:
    folder = legacy(tmp_path / "legacy", voice)
    change(folder / "configuration.json", lambda content: edit(content["model"]))
    with pytest.raises(CheckpointError, match=said):
        find(folder)


def test_what_is_wrong_inside_an_archive_is_said_of_the_archive(voice: Path, tmp_path: Path) -> None:
    folder = legacy(tmp_path / "legacy", voice)
    with zipfile.ZipFile(folder / "voices.zip", "w") as archive:
        archive.writestr("voices/voices.json", '{"voices": ["F7"]}')
    with pytest.raises(CheckpointError, match=r"legacy/voices\.zip/voices/voices\.json names the voice F7, but has no"):
        find(folder)
    with zipfile.ZipFile(folder / "voices.zip", "w") as archive:
        archive.writestr("../voices.json", "{}")
    with pytest.raises(CheckpointError, match="outside its own folder"):
        find(folder)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["F7", "F7"], "names the voice F7 twice"),
        (["gone", "F7"], r"names the voice gone, but has no folder of it; there is F7"),
        (["../F7"], "has a path for a voice"),
        ([".."], "has a path for a voice"),
        ([], "names no voices"),
        ("F7", "names no voices"),
    ],
)
def test_wrong_lists_of_voices_are_told(checkpoint: Path, names: Any, said: str) -> None:
    change(checkpoint / "voices" / "voices.json", lambda content: content.update(voices=names))
    with pytest.raises(CheckpointError, match=said):
        find(checkpoint)


def test_a_voice_that_is_not_there_is_told_with_those_that_are(written: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no voice zhibei, only F7, zhitian"):
        find(written, "zhibei")
    with pytest.raises(CheckpointError, match="there is no checkpoint folder"):
        find(tmp_path / "none")


@pytest.mark.parametrize(
    ("removed", "said"),
    [
        ("am/config.yaml", r"cannot read .*am/config\.yaml"),
        ("voc/config.yaml", r"cannot read .*voc/config\.yaml"),
        ("am/ckpt", r"am/ckpt has no checkpoint_<steps>\.pth"),
        ("voc/ckpt/checkpoint_0.pth", r"voc/ckpt has no checkpoint_<steps>\.pth"),
        ("voc", r"cannot read .*voc/config\.yaml"),
        ("am", "F7 has no acoustic model"),
    ],
)
def test_a_missing_file_is_named(checkpoint: Path, removed: str, said: str) -> None:
    path = checkpoint / "voices" / "F7" / removed
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(CheckpointError, match=said):
        find(checkpoint)


@pytest.mark.parametrize(
    ("file", "edit", "said"),
    [
        ("am/config.yaml", lambda c: c.pop("Model"), "no Model but"),
        ("am/config.yaml", lambda c: c["Model"].update(KanTtsSAMBERT=3), "no Model.KanTtsSAMBERT.params but"),
        ("am/config.yaml", lambda c: c.pop("linguistic_unit"), "no linguistic_unit but"),
        ("am/config.yaml", lambda c: c["linguistic_unit"].pop("speaker_list"), "no speaker_list"),
        ("am/config.yaml", lambda c: c["linguistic_unit"].update(speaker_list="F7,,M7"), "an empty name"),
        ("am/config.yaml", lambda c: c["linguistic_unit"].update(language="Sichuan"), "speaks Sichuan"),
        ("am/config.yaml", lambda c: c["linguistic_unit"].update(lfeat_type_list="byte_index"), "features byte_index"),
        (
            "voc/config.yaml",
            lambda c: c["audio_config"].update(hop_length=240),
            r"hop_length is 200 in F7/audio_config.yaml, but 240 in voc/config.yaml",
        ),
        ("voc/config.yaml", lambda c: c["audio_config"].update(fmax="high"), "fmax of audio_config is high"),
        ("audio_config.yaml", lambda c: c["audio_config"].pop("n_fft"), "n_fft of audio_config is None"),
        ("../../configuration.json", lambda c: c["model"].update(sample_rate=24000), "says 24000 Hz, .* 16000"),
        ("am/ckpt/checkpoint_0.pth", lambda c: c.pop("model"), r'no "model" but steps'),
        ("voc/ckpt/checkpoint_0.pth", lambda c: c["model"].pop("generator"), r'no "generator" but nothing'),
        ("am/ckpt/checkpoint_0.pth", lambda c: c["model"].pop(EMBEDDINGS["sy"]), "not a SAM-BERT acoustic model"),
        ("am/ckpt/checkpoint_0.pth", lambda c: c["model"][EMBEDDINGS["tone"]].fill_(torch.nan), "tone_emb.* NaN"),
        (
            "voc/ckpt/checkpoint_0.pth",
            lambda c: c["model"]["generator"].pop("conv_pre.conv1d.bias"),
            "not a HiFi-GAN of KAN-TTS",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told(checkpoint: Path, file: str, edit: Callable[[Any], None], said: str) -> None:
    change(checkpoint / "voices" / "F7" / file, edit)
    with pytest.raises(CheckpointError, match=said) as caught:
        find(checkpoint)
    assert "\n" not in str(caught.value)


def test_a_config_that_names_python_objects_is_refused(checkpoint: Path) -> None:
    path = checkpoint / "voices" / "F7" / "am" / "config.yaml"
    path.write_text(path.read_text() + "evil: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(CheckpointError, match=r"Python object os\.system, which could run code"):
        find(checkpoint)


def test_a_folder_of_another_family_is_told_with_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "generator_v1").write_bytes(b"")
    with pytest.raises(
        CheckpointError, match=r"no Sambert checkpoint: .* are expected, there is config\.json, generator_v1"
    ):
        find(tmp_path)


def test_without_any_description_of_its_spectrograms_a_voice_is_not_read(voice: Path) -> None:
    (voice / "audio_config.yaml").unlink()
    assert find(voice).audio["hop_length"] == 200
    for part in ("am", "voc"):
        change(voice / part / "config.yaml", lambda config: config.pop("audio_config"))
    with pytest.raises(CheckpointError, match="has no audio_config in its configs"):
        find(voice)


def test_a_voice_without_mask_is_read_with_the_ids_it_has(voice: Path) -> None:
    def shorten(content: Any) -> None:
        for name in EMBEDDINGS.values():
            content["model"][name] = content["model"][name][:-1].clone()

    change(voice / "am" / "ckpt" / "checkpoint_0.pth", shorten)
    files = find(voice)
    known = tables(files.symbols, SambertConfig.read(files.params, files.acoustic).vocabularies)
    assert {feature: len(table) for feature, table in known.items()} == {
        feature: len(MANDARIN.get(feature, SPEAKERS)) + 2 for feature in EMBEDDINGS
    }
