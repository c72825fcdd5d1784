"""Features of a clip of speech, as the models that read them were trained on.

Everything takes mono samples [n] float32 in -1…1 and gives time first or last as that model wants it.
"""

from __future__ import annotations

from functools import lru_cache

import kaldi_native_fbank
import numpy as np
import numpy.typing as npt
import soxr

Array = npt.NDArray[np.float32]
_Double = npt.NDArray[np.float64]

FBANK_BANDS = 80


def resampled(samples: Array, rate: int, wanted: int) -> Array:
    """The same sound at another sample rate."""
    return samples if rate == wanted else soxr.resample(samples, rate, wanted).astype(np.float32)


def whisper_mel(samples: Array, rate: int) -> Array:
    """Whisper's log-mel spectrogram with 128 bands, [128, n // 160]: hop 160, log10 over 80 dB, (x + 4) / 4."""
    size, hop = 400, 160
    padded = np.pad(samples.astype(np.float64), size // 2, mode="reflect")
    power = np.abs(_spectra(padded, size, hop)[:-1]) ** 2
    levels = np.log10(np.maximum(_mel_bank(rate, size, 128, 0.0, rate / 2) @ power.T, 1e-10))
    scaled: Array = ((np.maximum(levels, levels.max() - 8.0) + 4.0) / 4.0).astype(np.float32)
    return scaled


def kaldi_fbank(samples: Array, rate: int) -> Array:
    """Kaldi's log filter bank energies with 80 bands, 25 ms every 10 ms, without dither, less their mean. [frames, 80]

    CAM++ gets samples in -1…1, not Kaldi's 16 bits, as upstream gives them.
    """
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = rate
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = FBANK_BANDS
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(rate, samples.tolist())
    bank.input_finished()
    frames = np.array([bank.get_frame(i) for i in range(bank.num_frames_ready)], dtype=np.float32)
    centred: Array = frames - frames.mean(axis=0, keepdims=True)
    return centred


def prompt_mel(samples: Array, rate: int) -> Array:
    """CosyVoice2's (Matcha-TTS's) log-mel spectrogram with 80 bands up to 8 kHz, [n // 480, 80]: 50 frames a second."""
    size, hop = 1920, 480
    padded = np.pad(samples.astype(np.float64), (size - hop) // 2, mode="reflect")
    magnitude = np.sqrt(np.abs(_spectra(padded, size, hop)) ** 2 + 1e-9)
    mel = magnitude @ _mel_bank(rate, size, 80, 0.0, 8000.0).T
    logarithms: Array = np.log(np.maximum(mel, 1e-5)).astype(np.float32)
    return logarithms


def _spectra(samples: _Double, size: int, hop: int) -> npt.NDArray[np.complex128]:
    """Spectra of Hann windows [frames, size // 2 + 1]; the first window begins with the first sample."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    return np.fft.rfft(frames * window, axis=1)


@lru_cache(maxsize=4)
def _mel_bank(rate: int, size: int, bands: int, low: float, high: float) -> _Double:
    """Triangles of equal area on Slaney's mel scale (librosa's default), [bands, size // 2 + 1]."""
    edges = _hertz(np.linspace(_mels(low), _mels(high), bands + 2))
    bins = np.arange(size // 2 + 1) * rate / size
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles: _Double = np.maximum(0.0, np.minimum(rise, fall))
    return triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]


# Slaney's scale: 15 mels per kHz up to 1 kHz, then 27 mels for a factor of 6.4.
_LINEAR, _CORNER, _STEP = 200.0 / 3.0, 1000.0, np.log(6.4) / 27.0


def _mels(hertz: float) -> float:
    if hertz < _CORNER:
        return hertz / _LINEAR
    return float(_CORNER / _LINEAR + np.log(hertz / _CORNER) / _STEP)


def _hertz(mels: _Double) -> _Double:
    corner = _CORNER / _LINEAR
    return np.where(mels < corner, mels * _LINEAR, _CORNER * np.exp(_STEP * (np.maximum(mels, corner) - corner)))
