"""A voice gets another vocoder: as a whole or not at all, and only one that fits its mel spectrogram."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb
from typer.testing import CliRunner

from export.attach import Quality, attach
from export.change import changing
from export.cli import app
from export.errors import ExportError
from export.inference import run_onnx
from export.mel import MelFormat, Statistics
from export.vocoders.melgan import MelGAN, MelGANConfig
from export.vocoders.served import served
from export.voice import VoiceFile

VOICE = "demo"
HOP = 300
KNOWN = Statistics(tuple(np.linspace(-4, -1, 80)), tuple(np.linspace(0.3, 0.8, 80)))
OWN = Statistics(tuple(np.linspace(-3, -2, 80)), tuple(np.linspace(0.5, 0.6, 80)))


def small_vocoder(**mel):
    """A MelGAN for the demo voice's mel spectrogram, normalised by its own statistics."""
    torch.manual_seed(3)
    generator = MelGAN(MelGANConfig(80, (8, 4, 2), (20, 15), kernel=3, stacks=1)).eval().requires_grad_(False)
    form = MelFormat(24000, HOP, 80, 2048, 1200, 80.0, 7600.0, "log10", OWN, normalised=True)
    return served(generator, dataclasses.replace(form, **mel), ())


@pytest.fixture(scope="module")
def vocoder():
    return small_vocoder()


def copied(repository, target):
    """A repository with the demo voice, but for its graphs."""
    for source in repository.glob("demo*"):
        shutil.copytree(source, target / source.name, ignore=shutil.ignore_patterns("*.onnx"))
    return target


@pytest.fixture
def place(repository, tmp_path):
    return copied(repository, tmp_path / "repository")


@pytest.fixture(scope="module")
def attached(repository, tmp_path_factory, vocoder):
    """A repository whose demo voice has been given a vocoder, and the vocoder's model."""
    place = copied(repository, tmp_path_factory.mktemp("attached") / "repository")
    return place, attach(place, VOICE, Quality.high, vocoder, told, statistics=KNOWN)


def told(line):
    """Nobody listens."""


def content(folder):
    """Every file and what is in it, and every folder."""
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


def voice(place):
    return VoiceFile.read(place / VOICE / "voice.json").voice


def heard(vocoder, mel):
    """What a vocoder makes of its own kind of mel spectrogram."""
    with torch.no_grad():
        return vocoder.module(torch.from_numpy(mel).float()).numpy()


def config(path):
    return text_format.Parse(path.read_text(), pb.ModelConfig())


def test_a_new_quality_is_a_stage_of_its_own_and_the_others_stay(repository, attached):
    place, model = attached
    # "melgan" is the demo voice's own.
    assert model == "demo_highmelgan"
    after = voice(place)
    assert list(after.qualities.items()) == [("high", "highmelgan"), ("balanced", "melgan"), ("fast", "fastmelgan")]
    assert after.stages[-1] == "highmelgan"
    stage = config(place / model / "config.pbtxt")
    assert [(tensor.name, list(tensor.dims)) for tensor in (*stage.input, *stage.output)] == [
        ("mel", [-1, 80]),
        ("audio", [-1]),
    ]
    for path in (place / VOICE).rglob("*.pbtxt"):
        assert "highmelgan" in config(path).parameters["stages"].string_value
    assert json.loads(config(place / VOICE / "config.pbtxt").parameters["qualities"].string_value)[0] == "high"
    assert json.loads((place / model / "1" / "manifest.json").read_text())["stage"] == "highmelgan"
    before = {path: told for path, told in content(repository).items() if path.parts[0].startswith("demo_")}
    assert all(before[path] == told for path, told in content(place).items() if path in before)


def test_the_stage_bridges_from_the_voices_normalisation_to_its_own(attached, vocoder):
    place, model = attached
    mel = np.random.default_rng(0).standard_normal((2, 70, 80)).astype(np.float32)
    raw = mel * np.array(KNOWN.scale) + np.array(KNOWN.mean)
    expected = heard(vocoder, (raw - np.array(OWN.mean)) / np.array(OWN.scale))
    assert np.abs(run_onnx(place / model / "1" / "model.onnx", {"mel": mel})["audio"] - expected).max() < 1e-4
    assert np.abs(expected).max() > 0.01


def test_the_voices_statistics_are_kept_and_a_replaced_vocoder_goes(attached, tmp_path, vocoder):
    place = copied(attached[0], tmp_path / "repository")
    before = voice(place)
    assert before.mel.statistics == KNOWN
    wide = dataclasses.replace(vocoder, lead=70, tail=3)
    model = attach(place, VOICE, Quality.high, wide, told, replace=True)
    # The old one is untouched until the new one is there.
    assert model == "demo_highmelgan2"
    assert not (place / "demo_highmelgan").exists()
    after = voice(place)
    assert after.qualities == before.qualities | {"high": "highmelgan2"}
    assert set(before.stages) ^ set(after.stages) == {"highmelgan", "highmelgan2"}
    assert (before.frame_lead, before.frame_tail) == (24, 24)
    assert (after.frame_lead, after.frame_tail) == (70, 24)


def test_a_voice_with_a_fundamental_gives_its_bands_to_a_vocoder_without(place, vocoder):
    path = place / "demo_decoder" / "config.pbtxt"
    path.write_text(path.read_text().replace("dims: 80", "dims: 84"))
    model = attach(place, VOICE, Quality.high, vocoder, told, same_normalisation=True)
    assert list(config(place / model / "config.pbtxt").input[0].dims) == [-1, 84]
    mel = np.random.default_rng(0).standard_normal((1, 70, 84)).astype(np.float32)
    expected = heard(vocoder, mel[..., :80])
    assert np.abs(run_onnx(place / model / "1" / "model.onnx", {"mel": mel})["audio"] - expected).max() < 1e-4
    # Normalised alike is not normalised by known statistics.
    assert voice(place).mel.statistics is None


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {}, "--voice-statistics FILE, or say --same-normalisation"),
        ({"sample_rate": 22050}, {"same_normalisation": True}, r"sample rate: 24000 \| 22050"),
        ({"hop_length": 256}, {"same_normalisation": True}, r"hop length: 300 \| 256"),
        ({"statistics": None, "normalised": False}, {"same_normalisation": True}, "whose mel spectrograms are normal"),
    ],
)
def test_a_vocoder_that_does_not_fit_leaves_the_repository_as_it_was(place, changes, options, message):
    before = content(place)
    with pytest.raises(ExportError, match=message) as caught:
        attach(place, VOICE, Quality.high, small_vocoder(**changes), told, **options)
    assert len(str(caught.value)) <= 300
    assert content(place) == before


def test_a_quality_that_is_there_is_not_replaced_unasked(place, vocoder):
    before = content(place)
    with pytest.raises(ExportError, match="demo has a fast vocoder, demo_fastmelgan: replace it with --replace"):
        attach(place, VOICE, Quality.fast, vocoder, told, same_normalisation=True)
    assert content(place) == before


def test_a_vocoder_with_a_source_needs_a_voice_with_a_fundamental(place, vocoder):
    before = content(place)
    with pytest.raises(ExportError, match="takes 84 channels, of which the voice makes 80"):
        attach(place, VOICE, Quality.high, dataclasses.replace(vocoder, channels=84), told, same_normalisation=True)
    assert content(place) == before


def test_a_source_that_is_scaled_for_another_voice_is_refused(place, vocoder, tmp_path):
    path = tmp_path / "mvn.npy"
    np.save(path, np.array([200.0, 50.0]))
    before = content(place)
    with pytest.raises(ExportError, match=r"mvn\.npy is not that of the voice demo"):
        attach(place, VOICE, Quality.high, dataclasses.replace(vocoder, sources=(path,)), told)
    assert content(place) == before


def test_an_export_that_fails_leaves_the_repository_as_it_was(place, vocoder):
    before = content(place)
    # The graph's audio is not as long as this stage would say.
    broken = dataclasses.replace(vocoder, module=torch.nn.Identity())
    with pytest.raises(ExportError):
        attach(place, VOICE, Quality.high, broken, told, same_normalisation=True)
    assert content(place) == before


@pytest.mark.parametrize("name", ["nobody", "../repository/demo", ""])
def test_an_unknown_voice_is_told_the_known_ones(place, vocoder, name):
    with pytest.raises(ExportError, match="it has demo"):
        attach(place, name, Quality.high, vocoder, told)


def test_a_repository_that_does_not_exist_is_not_made(tmp_path, vocoder):
    with pytest.raises(ExportError, match="it has none"):
        attach(tmp_path / "no", VOICE, Quality.high, vocoder, told)
    assert not (tmp_path / "no").exists()


def test_a_repository_that_is_being_changed_is_left_alone(place, vocoder):
    with changing(place), pytest.raises(ExportError, match="by another process"):
        attach(place, VOICE, Quality.high, vocoder, told, same_normalisation=True)


def test_statistics_for_a_voice_that_is_not_normalised_are_refused(place, vocoder):
    path = place / VOICE / "voice.json"
    file = json.loads(path.read_text())
    path.write_text(json.dumps(file | {"mel": file["mel"] | {"normalised": False}}))
    with pytest.raises(ExportError, match="leave --voice-statistics out"):
        attach(place, VOICE, Quality.high, vocoder, told, statistics=KNOWN)


def test_the_command_says_what_the_voice_has_now(place, data):
    command = ["vocoder", "parallelwavegan", "--for", VOICE, "--quality", "high", "--repository", str(place)]
    command += ["--checkpoint", str(data / "vocoders" / "pwg_mb_melgan")]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[-1].startswith("error: the statistics that the voice's mel is normalised by")
    result = CliRunner().invoke(app, [*command, "--same-normalisation"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "voice demo has demo_mbmelgan for the quality high\n"
    assert voice(place).qualities["high"] == "mbmelgan"
