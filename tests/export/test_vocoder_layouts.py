"""Vocoders in the folders that other projects write: what is read of them, parity, and the sentence for damage."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
import yaml

from export.errors import CheckpointError
from export.mel import Statistics
from export.verify import export_chain
from export.vocoders.layouts import Layout, load_vocoder
from export.vocoders.statistics import read_statistics
from export.vocoders.verify import verification_stages, verify_vocoder
from export.vocoders.vocoder import vocoder_stage

FOLDERS = {
    "hifigan_resblock2": Layout.hifigan,
    "melgan": Layout.melgan,
    "pwg_mb_melgan": Layout.parallelwavegan,
    "pwg_causal": Layout.parallelwavegan,
}


@pytest.fixture
def folder(data, tmp_path, request):
    """A copy of the folder that a test names, to be damaged."""
    return shutil.copytree(data / "vocoders" / request.param, tmp_path / request.param)


def rewritten(path, change):
    """A checkpoint's content after a change."""
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def configured(path, **settings):
    """A config with other settings."""
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(content | settings))


@pytest.mark.parametrize(("name", "layout"), FOLDERS.items())
def test_module_and_graph_compute_what_upstream_does_alone_and_in_a_batch(data, tmp_path, name, layout):
    folder = data / "vocoders" / name
    chain = export_chain(verification_stages(layout, folder), tmp_path).chain
    (reference,) = folder.glob("reference_*.npz")
    rows = verify_vocoder(chain, reference, 1e-5, 1e-5)
    assert all(row.passed for row in rows), rows
    arrays = [row.array for row in rows]
    assert arrays[-2:] == ["wav", "wav batched"]
    assert ("mel_normalised" in arrays) is (layout is Layout.parallelwavegan)


def test_a_reference_of_another_layout_is_refused(data, tmp_path):
    folder = data / "vocoders"
    chain = export_chain(verification_stages(Layout.melgan, folder / "melgan"), tmp_path).chain
    with pytest.raises(CheckpointError, match="lacks mel of 3 axes"):
        verify_vocoder(chain, folder / "pwg_causal" / "reference_33.npz", 1e-4, 1e-4)


@pytest.mark.parametrize(
    ("name", "architecture", "hop", "scale", "edges"),
    [
        ("hifigan_resblock2", "hifigan", 256, "ln", (22050, 1024, 1024, 0.0, 8000.0)),
        ("melgan", "melgan", 256, "log10", (22050, 1024, 1024, 0.0, None)),
        ("pwg_mb_melgan", "mbmelgan", 300, "log10", (24000, 2048, 1200, 80.0, 7600.0)),
        ("pwg_causal", "mbmelgan", 18, "log10", (24000, 2048, 2048, 80.0, 7600.0)),
    ],
)
def test_a_vocoder_tells_what_mel_spectrogram_it_takes(data, name, architecture, hop, scale, edges):
    vocoder = load_vocoder(FOLDERS[name], data / "vocoders" / name)
    mel = vocoder.mel
    assert (vocoder.architecture, vocoder.hop_length, mel.hop_length, mel.scale) == (architecture, hop, hop, scale)
    assert (mel.sample_rate, mel.n_fft, mel.win_length, mel.fmin, mel.fmax) == edges
    assert mel.normalised is (mel.statistics is not None) is name.startswith("pwg")
    assert vocoder.channels == mel.bands
    assert vocoder.lead >= 1
    assert vocoder.tail >= 1


def test_a_kantts_vocoder_takes_the_mel_of_its_audio_config(data):
    vocoder = load_vocoder(Layout.kantts, data / "sambert/causal24k/voices/F7/voc")
    assert (vocoder.mel.scale, vocoder.mel.sample_rate, vocoder.hop_length) == ("kantts", 24000, 240)
    assert vocoder.mel.normalised
    assert vocoder.channels == 80


def test_a_kantts_vocoder_with_a_source_takes_the_fundamental_too(data):
    vocoder = load_vocoder(Layout.kantts, data / "sambert/nsf16k/voices/F7/voc")
    assert vocoder.channels == vocoder.mel.bands + 4
    assert vocoder.sources[-1].name == "mvn.npy"
    stage = vocoder_stage(vocoder, "hifigan")
    mel = stage.sample(2, {"frames": 20}, np.random.default_rng(0))["mel"]
    assert mel.shape == (2, 20, 84)
    assert (mel[..., -1] == np.arange(20)).all()


def test_a_source_without_the_statistics_of_the_fundamental_is_refused(data, tmp_path):
    folder = shutil.copytree(data / "sambert/nsf16k/voices/F7/voc", tmp_path / "voice" / "voc")
    with pytest.raises(CheckpointError, match=r"put the mvn\.npy of its voice"):
        load_vocoder(Layout.kantts, folder)


@pytest.mark.parametrize(("name", "file"), [("hifigan_resblock2", "generator_v1"), ("melgan", "multi_speaker.pt")])
def test_the_generators_own_file_is_enough(data, name, file):
    folder = data / "vocoders" / name
    assert load_vocoder(FOLDERS[name], folder / file).sources == load_vocoder(FOLDERS[name], folder).sources


@pytest.mark.parametrize("folder", ["hifigan_resblock2"], indirect=True)
def test_the_checkpoint_of_the_most_steps_is_taken(folder):
    (folder / "generator_v1").rename(folder / "g_00900000")
    shutil.copy(folder / "g_00900000", folder / "g_02500000")
    shutil.copy(folder / "g_00900000", folder / "do_02500001")
    assert load_vocoder(Layout.hifigan, folder).sources[-1].name == "g_02500000"


@pytest.mark.parametrize("folder", ["melgan"], indirect=True)
def test_of_several_generators_one_is_asked_for_but_the_best_of_a_training_is_known(folder):
    shutil.copy(folder / "multi_speaker.pt", folder / "linda_johnson.pt")
    with pytest.raises(CheckpointError, match=r"give one of the files linda_johnson\.pt, multi_speaker\.pt"):
        load_vocoder(Layout.melgan, folder)
    shutil.copy(folder / "multi_speaker.pt", folder / "best_netG.pt")
    assert load_vocoder(Layout.melgan, folder).sources[-1].name == "best_netG.pt"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("hifigan_resblock2", Layout.melgan), ("melgan", Layout.hifigan), ("pwg_causal", Layout.kantts)],
)
def test_the_wrong_layout_is_told_the_right_one(data, name, wrong):
    right = FOLDERS[name].value
    with pytest.raises(CheckpointError, match=f"looks like the layout {right}, not {wrong.value}"):
        load_vocoder(wrong, data / "vocoders" / name)


@pytest.mark.parametrize("layout", Layout)
def test_no_checkpoint_is_one_sentence(layout, tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_vocoder(layout, tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"has no generator|no checkpoint at"):
        load_vocoder(layout, tmp_path)


@pytest.mark.parametrize(
    ("folder", "config"), [("hifigan_resblock2", "config.json"), ("pwg_causal", "config.yml")], indirect=["folder"]
)
def test_a_missing_config_is_named(folder, config):
    (folder / config).unlink()
    with pytest.raises(CheckpointError, match=f"cannot read .*{config}"):
        load_vocoder(FOLDERS[folder.name], folder)


@pytest.mark.parametrize("key", ["sampling_rate", "hop_size", "num_mels", "n_fft", "win_size", "fmin"])
@pytest.mark.parametrize("folder", ["hifigan_resblock2"], indirect=True)
def test_a_setting_that_is_missing_or_nonsense_is_named(folder, key):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {key: "many"}))
    with pytest.raises(CheckpointError, match=key):
        load_vocoder(Layout.hifigan, folder)
    del config[key]
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=key):
        load_vocoder(Layout.hifigan, folder)


@pytest.mark.parametrize("folder", ["pwg_causal"], indirect=True)
def test_a_config_that_names_python_objects_is_refused(folder):
    path = folder / "config.yml"
    path.write_text(path.read_text() + "window: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(CheckpointError, match="Python object"):
        load_vocoder(Layout.parallelwavegan, folder)


@pytest.mark.parametrize("folder", ["pwg_causal"], indirect=True)
def test_anchors_in_a_config_are_fine(folder):
    path = folder / "config.yml"
    path.write_text(path.read_text() + "a: &id001 [1, 3, 5]\nb: *id001\n")
    load_vocoder(Layout.parallelwavegan, folder)


@pytest.mark.parametrize("folder", ["pwg_causal"], indirect=True)
def test_another_generator_is_refused_with_those_that_are_known(folder):
    configured(folder / "config.yml", generator_type="StyleMelGANGenerator")
    with pytest.raises(CheckpointError, match="only HiFiGANGenerator and MelGANGenerator"):
        load_vocoder(Layout.parallelwavegan, folder)


@pytest.mark.parametrize("kind", ["HiFiGANGenerator", "MelGANGenerator"])
@pytest.mark.parametrize("folder", ["pwg_causal"], indirect=True)
def test_generator_params_that_are_no_settings_are_refused(folder, kind):
    configured(folder / "config.yml", generator_type=kind, generator_params=[8, 16])
    with pytest.raises(CheckpointError, match="generator_params of the vocoder's config must be settings"):
        load_vocoder(Layout.parallelwavegan, folder)


@pytest.mark.parametrize("folder", ["pwg_causal"], indirect=True)
def test_missing_statistics_are_asked_for_and_hdf5_is_told_how_to_become_npz(folder):
    (folder / "stats.npy").unlink()
    with pytest.raises(CheckpointError, match=r"has no stats\.npz"):
        load_vocoder(Layout.parallelwavegan, folder)
    (folder / "stats.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(CheckpointError, match="import h5py"):
        load_vocoder(Layout.parallelwavegan, folder)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mean": np.zeros(8)}, "lacks scale"),
        ({"mean": np.zeros(8), "scale": np.zeros(8)}, "every scale above 0"),
        ({"mean": np.zeros(9), "scale": np.ones(9)}, "statistics of 9 bands for 8 mel bands"),
    ],
)
@pytest.mark.parametrize("folder", ["pwg_causal"], indirect=True)
def test_statistics_that_do_not_fit_are_refused(folder, arrays, message):
    np.savez(folder / "stats.npz", **arrays)
    with pytest.raises(CheckpointError, match=message):
        load_vocoder(Layout.parallelwavegan, folder)


def test_statistics_are_two_arrays_or_two_rows(tmp_path):
    np.save(tmp_path / "s.npy", np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.savez(tmp_path / "s.npz", mean=[[1.0, 2.0]], scale=[[3.0, 4.0]])
    expected = Statistics((1.0, 2.0), (3.0, 4.0))
    assert read_statistics(tmp_path / "s.npy") == read_statistics(tmp_path / "s.npz") == expected
    np.save(tmp_path / "s.npy", np.ones(4))
    with pytest.raises(CheckpointError, match="two rows, mean and scale"):
        read_statistics(tmp_path / "s.npy")


@pytest.mark.parametrize(
    ("folder", "file", "keys", "name"),
    [
        ("hifigan_resblock2", "generator_v1", ["generator"], "conv_post.bias"),
        ("melgan", "multi_speaker.pt", [], "model.1.bias"),
        ("pwg_causal", "checkpoint-3steps.pkl", ["model", "generator"], "melgan.3.skip_layer.weight_v"),
    ],
    indirect=["folder"],
)
@pytest.mark.parametrize("damage", ["nan", "reshaped", "renamed"])
def test_a_damaged_tensor_is_named(folder, file, keys, name, damage):
    def change(content):
        for key in keys:
            content = content[key]
        if damage == "nan":
            content[name].flatten()[0] = float("nan")
        elif damage == "reshaped":
            content[name] = torch.ones(2, 3, 4)
        else:
            content["other"] = content.pop(name)

    rewritten(folder / file, change)
    with pytest.raises(CheckpointError, match=name.removesuffix("_v")) as caught:
        load_vocoder(FOLDERS[folder.name], folder)
    assert len(str(caught.value)) <= 300 + len(str(folder))


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("hifigan_resblock2", "generator_v1"),
        ("melgan", "multi_speaker.pt"),
        ("pwg_causal", "checkpoint-3steps.pkl"),
    ],
    indirect=["folder"],
)
def test_a_truncated_checkpoint_is_refused(folder, file):
    path = folder / file
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="damaged"):
        load_vocoder(FOLDERS[folder.name], folder)


def test_a_stage_is_named_and_sized_by_its_vocoder(data):
    vocoder = load_vocoder(Layout.parallelwavegan, data / "vocoders" / "pwg_causal")
    spec = vocoder_stage(dataclasses.replace(vocoder, channels=9), "fastmelgan").spec
    assert spec.role == "fastmelgan"
    assert spec.inputs[0].axes[1] == 9
    assert spec.outputs[0].axes[0].optimum == 18 * spec.inputs[0].axes[0].optimum
