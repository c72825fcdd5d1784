"""Reading the demo checkpoint, and refusing what is not one."""

from __future__ import annotations

import json
import shutil

import pytest

from export.errors import CheckpointError
from export.families.fastspeech2 import demo
from export.families.fastspeech2.checkpoint import ACOUSTIC, SYMBOLS, VOCODER, load
from export.families.fastspeech2.tflite_reader import TfliteFile


@pytest.fixture
def copy(checkpoint, tmp_path):
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint, folder)
    return folder


@pytest.fixture(scope="module")
def loaded(checkpoint):
    return load(checkpoint)


def test_the_sizes_in_the_files_are_those_that_the_configs_are_generated_from(loaded):
    assert loaded.config == demo.ACOUSTIC_CONFIG
    assert loaded.vocoder_config == demo.VOCODER_CONFIG
    assert loaded.vocoder_config.hop_length == 300


def test_the_voice_has_the_published_number_of_parameters(loaded):
    counts = [
        sum(p.numel() for p in module.parameters()) / 1e6 for module in (loaded.encoder, loaded.decoder, loaded.vocoder)
    ]
    # The position table is shared in the file and copied into both modules.
    assert counts == pytest.approx([6.6, 9.7, 1.9], abs=0.1)


@pytest.mark.parametrize("name", [ACOUSTIC, VOCODER])
@pytest.mark.parametrize("kept", [0, 3, 100, 5000, 200_000, 5_000_000])
def test_a_truncated_file_is_refused_in_one_sentence(copy, name, kept):
    path = copy / name
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"fetch the checkpoint again|not the expected network|not a multi-band"):
        load(copy)


@pytest.mark.parametrize("name", [ACOUSTIC, VOCODER])
def test_a_file_full_of_noise_is_refused(copy, name):
    path = copy / name
    path.write_bytes(b"\x20\0\0\0TFL3" + bytes(range(256)) * 400)
    with pytest.raises(CheckpointError):
        load(copy)


def test_the_vocoder_in_place_of_the_acoustic_model_is_refused(copy):
    shutil.copy(copy / VOCODER, copy / ACOUSTIC)
    with pytest.raises(CheckpointError, match="not the expected network"):
        load(copy)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"symbol_to_id": {"pad": "x"}}', '{"symbol_to_id": 5}'])
def test_a_broken_symbol_table_is_refused(copy, text):
    (copy / SYMBOLS).write_text(text)
    with pytest.raises(CheckpointError, match=SYMBOLS):
        load(copy)


def test_a_symbol_table_of_another_size_is_refused_with_both_sizes(copy):
    table = json.loads((copy / SYMBOLS).read_text())
    del table["symbol_to_id"]["eos"]
    (copy / SYMBOLS).write_text(json.dumps(table))
    with pytest.raises(CheckpointError, match=r"218 symbols, the network has 219"):
        load(copy)


def test_a_missing_folder_says_how_to_get_the_voice(tmp_path):
    with pytest.raises(CheckpointError, match="python -m export fetch demo"):
        load(tmp_path / "nowhere")


def test_a_missing_file_is_named(copy):
    (copy / VOCODER).unlink()
    with pytest.raises(CheckpointError, match=VOCODER):
        load(copy)


def test_int8_constants_are_dequantised_by_their_scale(checkpoint):
    file = TfliteFile(checkpoint / ACOUSTIC)
    table = file.find("embeddings/Gather", "GATHER")
    assert table.shape == (219, 256)
    steps = set((table / abs(table[table != 0]).min()).round(3).flatten().tolist())
    assert len(steps) <= 256
