"""The features of a clip are those that the models which read them were trained on."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from design_features import Array, kaldi_fbank, prompt_mel, resampled, whisper_mel

SECONDS = 1.37


@pytest.fixture(params=["speech-like", "quiet", "clicks"])
def clip(request: pytest.FixtureRequest) -> Array:
    """Samples at 16 kHz: harmonics that glide under noise, nearly nothing, or silence between clicks."""
    rng = np.random.default_rng(5)
    n = round(SECONDS * 16000)
    if request.param == "clicks":
        samples = np.zeros(n)
        samples[::4001] = 0.9
    else:
        phase = 2 * np.pi * np.cumsum(120 + 60 * np.sin(np.arange(n) / 9000)) / 16000
        samples = sum(np.sin(k * phase) / k for k in range(1, 30)) * 0.1 + rng.normal(0, 0.01, n)
        samples *= 1e-4 if request.param == "quiet" else 1.0
    return samples.astype(np.float32)


@pytest.fixture(scope="module")
def banks() -> dict[str, Array]:
    """Of librosa 0.11: `whisper` (sr 16000, n_fft 400, n_mels 128) and `matcha` (24000, 1920, 80, up to 8 kHz)."""
    with np.load(Path(__file__).parents[1] / "data" / "design" / "librosa_mel.npz") as arrays:
        return dict(arrays)


def test_the_whisper_spectrogram_is_that_of_openai_whisper(clip: Array, banks: dict[str, Array]) -> None:
    """As `whisper.audio.log_mel_spectrogram(audio, n_mels=128)` computes it with torch."""
    spectra = torch.stft(
        torch.from_numpy(clip).double(), 400, 160, window=torch.hann_window(400).double(), return_complex=True
    )
    bank = torch.from_numpy(banks["whisper"]).double()
    levels = torch.clamp(bank @ spectra[:, :-1].abs() ** 2, min=1e-10).log10()
    expected = (torch.maximum(levels, levels.max() - 8.0) + 4.0) / 4.0
    mel = whisper_mel(clip, 16000)
    assert mel.shape == (128, len(clip) // 160)
    assert np.abs(mel - expected.numpy()).max() < 1e-4


def test_the_prompts_mel_is_that_of_matcha(clip: Array, banks: dict[str, Array]) -> None:
    """As `mel_spectrogram(n_fft=1920, hop_size=480, num_mels=80, fmax=8000, center=False)` computes it with torch."""
    samples = resampled(clip, 16000, 24000)
    padded = torch.nn.functional.pad(torch.from_numpy(samples).double()[None, None], (720, 720), mode="reflect")[0, 0]
    spectra = torch.stft(padded, 1920, 480, window=torch.hann_window(1920).double(), center=False, return_complex=True)
    bank = torch.from_numpy(banks["matcha"]).double()
    magnitude = torch.sqrt(spectra.real**2 + spectra.imag**2 + 1e-9)
    expected = torch.clamp(bank @ magnitude, min=1e-5).log().T
    mel = prompt_mel(samples, 24000)
    assert mel.shape == (len(samples) // 480, 80)
    assert np.abs(mel - expected.numpy()).max() < 1e-4


def test_the_filter_bank_is_kaldis(clip: Array) -> None:
    """As torchaudio's `compliance.kaldi.fbank(num_mel_bins=80, dither=0)` computes it, less its mean."""
    expected = _kaldi(torch.from_numpy(clip).double()).numpy()
    expected -= expected.mean(axis=0)
    energies = kaldi_fbank(clip, 16000)
    assert energies.shape == expected.shape == (1 + (len(clip) - 400) // 160, 80)
    # Kaldi's own arithmetic is float32.
    assert np.abs(energies - expected).max() < 2e-3


def test_resampling_keeps_a_tone_and_its_length() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)
    twice = resampled(tone, 16000, 24000)
    expected = np.sin(2 * np.pi * 440 * np.arange(24000) / 24000)
    assert twice.dtype == np.float32
    assert len(twice) == 24000
    assert np.abs(twice - expected)[500:-500].max() < 1e-3


def test_nothing_is_resampled_where_the_rates_agree(clip: Array) -> None:
    assert resampled(clip, 16000, 16000) is clip


def _kaldi(samples: torch.Tensor) -> torch.Tensor:
    """Kaldi's fbank [frames, 80] with its defaults, in float64: 25 ms every 10 ms, whole frames only."""
    frames = samples.unfold(0, 400, 160)
    frames = frames - frames.mean(dim=1, keepdim=True)
    before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
    window = torch.hann_window(400, periodic=False).double() ** 0.85
    power = torch.fft.rfft((frames - 0.97 * before) * window, n=512).abs() ** 2

    def mels(hertz: float) -> float:
        return 1127.0 * math.log(1.0 + hertz / 700.0)

    edges = torch.linspace(mels(20.0), mels(8000.0), 82).double()
    bins = torch.tensor([mels(k * 16000 / 512) for k in range(256)]).double()
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    bank = torch.clamp(torch.minimum(rise, fall), min=0.0)
    return torch.clamp(power[:, :256] @ bank.T, min=torch.finfo(torch.float32).eps).log()
