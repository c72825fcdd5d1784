"""A small generator learns from the demo voice, is left in a folder, and is given to the voice."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from typer import Typer
from typer.testing import CliRunner

from export.cli import app
from export.distill.clips import Clips
from export.distill.command import command
from export.distill.distillation import distill
from export.distill.folder import Folder
from export.distill.generator import generator_config, packed
from export.distill.run import train
from export.distill.settings import Limit, Settings
from export.distill.training import Training
from export.errors import CheckpointError, ExportError
from export.families.fastspeech2 import demo
from export.inference import run_onnx
from export.vocoders.hifigan import HiFiGAN
from export.vocoders.layouts import Layout, load_vocoder
from export.voice import VoiceFile

VOICE = demo.voice("demo", 300)
TOY = Settings(sentences=2, held_out=1, channels=16, width=2, batch=2, segment=8, warm_up=0.5, learning_rate=2e-3)
CPU = torch.device("cpu")


def told(line: str) -> None:
    """Nobody listens."""


def still() -> float:
    return 0.0


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums come out the same each time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def clips() -> Clips:
    """A voice whose pitch and loudness are two bands of its mel spectrogram."""
    random = torch.Generator().manual_seed(0)
    mel = torch.randn(60, 80, generator=random).cumsum(0) / 8
    phase = (0.05 + 0.02 * mel[:, 0].tanh()).repeat_interleave(300).cumsum(0)
    audio = 0.2 * (1 + mel[:, 1].tanh()).repeat_interleave(300) * torch.sin(phase)
    return Clips(mel.half(), audio, torch.tensor([25, 35]), 300)


@pytest.fixture(scope="module")
def left(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """The folder after a run on the demo voice, and how near the generator came."""
    out = tmp_path_factory.mktemp("distilled") / "out"
    return out, distill(TOY, Limit(steps=4), checkpoint, out, CPU, still, told)


def training(settings: Settings = TOY, *, half: bool = False) -> Training:
    return Training(settings, generator_config(settings.channels, VOICE.mel), VOICE.sample_rate, CPU, half=half)


def weights(trained: Training) -> list[torch.Tensor]:
    modules = (trained.generator, trained.average, trained.discriminators)
    return [value for module in modules for value in module.state_dict().values()]


def test_a_few_steps_bring_a_generator_nearer_to_its_teacher(clips: Clips) -> None:
    trained = training(dataclasses.replace(TOY, learning_rate=5e-3))
    mel, audio = clips.segments(2, 8, seed=0)
    first = trained.advance(mel, audio, 0.0)
    for _ in range(16):
        last = trained.advance(mel, audio, 0.0)
    assert last["stft"] < 0.9 * first["stft"]
    assert last["mel"] < 0.6 * first["mel"]


def test_half_precision_learns_much_the_same_and_goes_on_with_its_scale(clips: Clips, tmp_path: Path) -> None:
    whole, half = training(), training(half=True)
    for step in range(3):
        mel, audio = clips.segments(2, 8, seed=step)
        exact, rounded = whole.advance(mel, audio, 0.5), half.advance(mel, audio, 0.5)
    assert set(exact) == set(rounded)
    assert rounded["mel"].item() == pytest.approx(exact["mel"].item(), rel=0.05)
    Folder(tmp_path).save_state(half.state())
    resumed = training(half=True)
    resumed.restore(tmp_path / "training.pt")
    scales = [scaler["scale"] for scaler in resumed.state()["scalers"].values()]
    assert scales == [scaler["scale"] for scaler in half.state()["scalers"].values()]


def test_discriminators_join_after_the_warm_up(clips: Clips) -> None:
    trained = training()
    before = [value.clone() for value in trained.discriminators.parameters()]
    mel, audio = clips.segments(2, 8, seed=0)
    assert set(trained.advance(mel, audio, 0.49)) == {"mel", "stft"}
    assert all(map(torch.equal, before, trained.discriminators.parameters()))
    losses = trained.advance(mel, audio, 0.5)
    assert set(losses) == {"mel", "stft", "discriminators", "adversarial", "features"}
    assert not any(map(torch.equal, before, trained.discriminators.parameters()))


def test_the_average_of_the_weights_follows_them(clips: Clips) -> None:
    trained = training()
    mel, audio = clips.segments(2, 8, seed=0)
    before = trained.generator.output.weight.detach().clone()
    trained.advance(mel, audio, 0.0)
    now, mean = trained.generator.output.weight, trained.average.output.weight
    torch.testing.assert_close(mean, before + (now - before) * 10 / 11)


def test_the_learning_rate_and_the_end_follow_time_or_steps_whichever_is_further() -> None:
    limit = Limit(minutes=20, steps=1000)
    assert limit.share(100, 600) == 0.5
    assert limit.share(900, 600) == 0.9
    assert limit.share(0, 9999) == 1
    assert Limit(steps=8).share(2, 9999) == 0.25
    settings = Settings(learning_rate=1e-3, decay=0.01)
    assert [settings.rate(share) for share in (0.0, 0.5, 1.0)] == pytest.approx([1e-3, 1e-4, 1e-5])


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(clips: Clips, tmp_path: Path) -> None:
    limit, folder = Limit(steps=6), Folder(tmp_path)
    whole = training()
    train(whole, clips, limit, still, lambda: None, told)

    broken = training()

    def save() -> None:
        folder.save_state(broken.state())
        if broken.step == 3:
            raise InterruptedError

    # More than a minute passes whenever somebody looks.
    with pytest.raises(InterruptedError):
        train(broken, clips, limit, minutes(), save, told)
    resumed = training()
    resumed.restore(folder.state)
    assert resumed.step == 3
    assert resumed.seconds == broken.seconds
    train(resumed, clips, limit, still, lambda: None, told)
    assert resumed.step == whole.step == 6
    assert all(map(torch.equal, weights(resumed), weights(whole)))
    assert resumed.losses == whole.losses


def minutes() -> Callable[[], float]:
    passed = count(0, 61)
    return lambda: float(next(passed))


def test_time_ends_a_run_that_has_steps_left(clips: Clips) -> None:
    trained = training()
    train(trained, clips, Limit(minutes=12.0), minutes(), lambda: None, told)
    assert 1 <= trained.step <= 12


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_what_was_saved(clips: Clips) -> None:
    trained = training()
    saved: list[int] = []
    with torch.no_grad():
        trained.generator.output.bias.fill_(torch.nan)
    with pytest.raises(ExportError, match="a loss is no number"):
        train(trained, clips, Limit(steps=2), minutes(), lambda: saved.append(trained.step), told)
    assert not saved


def test_a_run_leaves_a_generator_its_config_and_where_it_comes_from(left: tuple[Path, dict[str, float]]) -> None:
    out, found = left
    assert sorted(path.name for path in out.iterdir()) == [
        "config.json",
        "generator.safetensors",
        "provenance.json",
        "training.pt",
    ]
    assert set(found) == {"stft_loss", "mel_l1", "log_spectral_distance_db"}
    assert all(np.isfinite(value) and value > 0 for value in found.values())
    told_of = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    assert told_of["steps"] == 4
    assert told_of["settings"] == TOY.as_dict()
    assert len(told_of["teacher"]["sha256"]) == 3
    assert told_of["evaluation"] == {name: round(value, 4) for name, value in found.items()}
    assert "non-commercial" in told_of["licence"]


def test_the_generator_in_the_folder_is_the_average_of_the_run(left: tuple[Path, dict[str, float]]) -> None:
    trained = training()
    trained.restore(left[0] / "training.pt")
    vocoder = load_vocoder(Layout.hifigan, left[0])
    assert vocoder.mel == VOICE.mel
    mel = torch.randn(1, 20, 80, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = trained.average(mel)
        # What float16 makes of the weights.
        torch.testing.assert_close(vocoder.module(mel), expected, atol=2e-3 * float(expected.abs().max()), rtol=0)


def test_the_generator_becomes_the_voices_high_quality(
    left: tuple[Path, dict[str, float]], repository: Path, tmp_path: Path
) -> None:
    place = tmp_path / "repository"
    for source in repository.glob("demo*"):
        shutil.copytree(source, place / source.name, ignore=shutil.ignore_patterns("*.onnx"))
    arguments = ["vocoder", "hifigan", "--checkpoint", str(left[0]), "--for", "demo", "--quality", "high"]
    refused = CliRunner().invoke(app, [*arguments, "--repository", str(place)])
    assert refused.exit_code == 1
    assert "--same-normalisation" in refused.output
    done = CliRunner().invoke(app, [*arguments, "--repository", str(place), "--same-normalisation"])
    assert done.exit_code == 0, done.output
    assert VoiceFile.read(place / "demo" / "voice.json").voice.qualities["high"] == "hifigan"
    mel = np.random.default_rng(0).standard_normal((1, 70, 80)).astype(np.float32)
    audio = run_onnx(place / "demo_hifigan" / "1" / "model.onnx", {"mel": mel})["audio"]
    module = load_vocoder(Layout.hifigan, left[0]).module
    with torch.no_grad():
        expected = module(torch.from_numpy(mel)).numpy()
    assert audio.shape == (1, 70 * 300)
    assert np.abs(audio - expected).max() < 1e-4


def test_a_generator_too_large_for_a_repository_is_refused() -> None:
    packed(HiFiGAN(generator_config(256, VOICE.mel)))
    with pytest.raises(ExportError, match="MB in float16, 12 are allowed: take fewer channels"):
        packed(HiFiGAN(generator_config(512, VOICE.mel)))


def test_a_generator_that_cannot_be_written_leaves_the_one_before_it(tmp_path: Path) -> None:
    folder, generator = Folder(tmp_path), HiFiGAN(generator_config(16, VOICE.mel))
    folder.publish(generator, VOICE.mel, {})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with torch.no_grad():
        generator.output.bias.fill_(torch.nan)
    with pytest.raises(ExportError, match="no numbers in float16"):
        folder.publish(generator, VOICE.mel, {})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("channels", [0, 40])
def test_channels_that_cannot_be_halved_are_refused(channels: int) -> None:
    with pytest.raises(ExportError, match="take a multiple of 16"):
        generator_config(channels, VOICE.mel)


def test_a_voice_of_another_hop_is_refused() -> None:
    with pytest.raises(ExportError, match="makes 300 samples of a frame, the voice 256"):
        generator_config(16, dataclasses.replace(VOICE.mel, hop_length=256))


def test_a_run_with_other_settings_is_not_gone_on_with(left: tuple[Path, dict[str, float]]) -> None:
    other = training(dataclasses.replace(TOY, batch=3))
    with pytest.raises(CheckpointError, match=r"other settings \(batch: 2, now 3\)"):
        other.restore(left[0] / "training.pt")
    assert other.step == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--checkpoint", "{tmp}/nothing"], "fetch the demo voice with: python -m export fetch demo"),
        (["--out", "{tmp}/file/out"], "Not a directory"),
        (["--out", "{tmp}", "--resume"], "has no run to go on with: leave out --resume"),
        (["--out", "{left}"], "has a run already: go on with --resume"),
        (["--out", "{left}", "--resume"], "is of a run with other settings"),
        (["--out", "{tmp}", "--channels", "1024"], "MB in float16, 12 are allowed"),
    ],
)
def test_bad_input_is_one_line_before_any_work(
    left: tuple[Path, dict[str, float]], checkpoint: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    (tmp_path / "file").touch()
    given = [option.format(tmp=tmp_path, left=left[0]) for option in options]
    program = Typer()
    program.command()(command)
    result = CliRunner().invoke(program, ["--checkpoint", str(checkpoint), *given])
    assert result.exit_code == 1
    *before, last = result.output.splitlines()
    assert last.startswith("error: ")
    assert message in last
    assert all("there is no GPU" in line for line in before)


@pytest.mark.gpu
def test_a_gpu_trains_and_goes_on_in_half_precision(checkpoint: Path, tmp_path: Path) -> None:
    device, settings = torch.device("cuda"), dataclasses.replace(TOY, learning_rate=5e-4)
    distill(settings, Limit(steps=4), checkpoint, tmp_path, device, still, told)
    found = distill(settings, Limit(steps=40), checkpoint, tmp_path, device, still, told, resume=True)
    provenance = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["steps"] == 40
    assert provenance["device"] == torch.cuda.get_device_name(device)
    assert all(np.isfinite(value) for value in found.values())
