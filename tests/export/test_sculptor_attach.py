"""A designed voice gets other vocoders: those of its mel spectrogram, without the track of its own vocoder's source."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from export.attach import Quality, attach
from export.bundle import Choice
from export.change import changing
from export.errors import CheckpointError, ExportError
from export.families.sculptor.description import Extent, describe
from export.families.sculptor.hift_stage import HIFT, MEL
from export.inference import run_onnx
from export.mel import MelFormat, Statistics
from export.repository import put_configs, stage_configs
from export.specs import Axis, DType, Precision, StageSpec, TensorSpec
from export.vocoders.hifigan import HiFiGAN, HiFiGANConfig
from export.vocoders.melgan import MelGAN, MelGANConfig
from export.vocoders.served import served
from export.vocoders.vocoder import FRAMES, vocoder_spec
from export.voice import FILE_NAME, VoiceFile

VOICE = "designed"
STATISTICS = Statistics(tuple(np.linspace(-3, -2, 80)), tuple(np.linspace(0.5, 0.6, 80)))


def told(_):
    pass


@pytest.fixture
def place(tmp_path):
    """A repository with a designed voice, but for its graphs."""
    voice = describe(VOICE, Extent(100, 25, 3, 16, 15, 5), Choice())
    positions = TensorSpec("positions", DType.FP32, (FRAMES,))
    mel = TensorSpec("mel", DType.FP32, (FRAMES, 83))
    prompt = TensorSpec("prompt_mel", DType.FP32, (Axis("prompt", 2, 8, 16), 80))
    specs = {role: StageSpec(role, (prompt,), (dataclasses.replace(prompt, name="other"),)) for role in voice.stages}
    specs |= {
        "style": StageSpec("style", (), (prompt,)),
        "flow": StageSpec("flow", (positions,), (mel,)),
        HIFT: vocoder_spec(HIFT, 83, 480),
    }
    with changing(tmp_path) as change:
        for spec in specs.values():
            put_configs(change, stage_configs(VOICE, spec))
        change.write_text(Path(VOICE, FILE_NAME), voice.file({}, {}))
    return tmp_path


def small_hifigan():
    torch.manual_seed(5)
    config = HiFiGANConfig(80, (8, 4, 2), 7, (20, 24), (40, 48), (10, 12), (3,), ((1,),), 0.1)
    return served(HiFiGAN(config).eval().requires_grad_(False), MEL, ())


def small_melgan(**mel):
    torch.manual_seed(6)
    generator = MelGAN(MelGANConfig(80, (8, 4, 2), (20, 24), kernel=3, stacks=1)).eval().requires_grad_(False)
    form = MelFormat(24000, 480, 80, 1920, 1920, 0.0, 8000.0, "log10", STATISTICS, normalised=True)
    return served(generator, dataclasses.replace(form, **mel), ())


def test_hifigan_and_melgan_become_balanced_and_fast(place):
    hifigan, melgan = small_hifigan(), small_melgan()
    for quality, vocoder in ((Quality.balanced, hifigan), (Quality.fast, melgan)):
        model = attach(place, VOICE, quality, vocoder, told, precisions=(Precision.FP32,))
        assert model == f"{VOICE}_{vocoder.architecture}"
    voice = VoiceFile.read(place / VOICE / FILE_NAME).voice
    assert voice.qualities == {"high": HIFT, "balanced": "hifigan", "fast": "melgan"}
    assert voice.stages[-3:] == (HIFT, "hifigan", "melgan")
    # A window has the context of whichever vocoder needs most.
    assert voice.frame_lead == max(16, hifigan.lead, melgan.lead)
    mel = torch.randn(2, 70, 83)
    for vocoder, heard in (
        (hifigan, mel[..., :80]),
        # Natural to decimal logarithms, and normalised.
        (melgan, (mel[..., :80] / np.log(10) - torch.tensor(STATISTICS.mean)) / torch.tensor(STATISTICS.scale)),
    ):
        graph = place / f"{VOICE}_{vocoder.architecture}" / "1" / "model.onnx"
        audio = run_onnx(graph, {"mel": mel.numpy()})["audio"]
        assert audio.shape == (2, 70 * 480)
        np.testing.assert_allclose(audio, vocoder.module(heard.float()).detach().numpy(), atol=1e-5)


def test_a_vocoder_of_another_mel_spectrogram_is_refused(place):
    with pytest.raises(CheckpointError, match=r"fmax: 8000 \| 12000"):
        attach(place, VOICE, Quality.fast, small_melgan(fmax=None), told)
    assert VoiceFile.read(place / VOICE / FILE_NAME).voice.qualities == {"high": HIFT}


def test_a_vocoder_with_a_source_of_another_kind_is_refused(place):
    with pytest.raises(ExportError, match="takes 84 channels, of which the voice makes 83"):
        attach(place, VOICE, Quality.fast, dataclasses.replace(small_melgan(), channels=84), told)
