"""What the stated attributes of an instruction do to the samples, through the real server."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest
from style_helpers import Stated, stated

from client import Speech, Synthesizer
from server import TritonServer

TEXT = "春天的公园里开满了花，孩子们在草地上跑来跑去。"


@pytest.fixture(scope="module")
def synthesizer(service: TritonServer) -> Iterator[Synthesizer]:
    with Synthesizer(service.address.grpc) as made:
        yield made


def f0(speech: Speech) -> np.ndarray:
    """Base-2 logarithm of the fundamental frequency, every 10 ms where the speech is voiced, by autocorrelation."""
    rate = speech.sample_rate
    audio = speech.samples.astype(float) / 32768
    window, hop = int(0.04 * rate), int(0.01 * rate)
    shortest, longest = rate // 500, rate // 100
    frames = np.lib.stride_tricks.sliding_window_view(audio, window)[::hop] * np.hanning(window)
    frames = frames[np.square(frames).mean(1) > 1e-4]
    spectra = np.fft.rfft(frames, 2 * window, axis=1)
    correlation = np.fft.irfft(np.abs(spectra) ** 2, axis=1)[:, :longest]
    # The window's own correlation would favour short periods.
    taper = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(window), 2 * window)) ** 2)[:longest]
    strength = correlation / correlation[:, :1] / (taper / taper[0])
    period = shortest + strength[:, shortest:].argmax(1)
    voiced = strength[np.arange(len(period)), period] > 0.7
    return np.log2(rate / period[voiced])


def pitch(speech: Speech) -> float:
    """Median f0 in semitones."""
    return 12 * float(np.median(f0(speech)))


def movement(speech: Speech) -> float:
    """Half the range, in semitones, in which the middle 80 % of f0 lie."""
    low, high = np.quantile(f0(speech), (0.1, 0.9))
    return 6 * float(high - low)


def level(speech: Speech) -> float:
    """RMS in dB."""
    return 10 * math.log10(float(np.mean(np.square(speech.samples.astype(float)))))


# What grows with the attribute, and the smallest change that counts.
MEASURES: dict[str, tuple[Callable[[Speech], float], float]] = {
    "speed": (lambda speech: -math.log(speech.duration), 0.02),
    "pitch": (pitch, 0.15),
    "contour": (movement, 0.05),
    "energy": (level, 0.25),
}


@pytest.fixture(scope="module")
def speak(synthesizer: Synthesizer) -> Callable[[str | None], Speech]:
    """The text in a style, each style once."""

    @cache
    def speaking(style: str | None) -> Speech:
        return synthesizer.synthesize(TEXT) if style is None else synthesizer.synthesize(TEXT, style=style)

    return speaking


def moved(speak: Callable[[str | None], Speech], one: Stated) -> int:
    """1, -1 or 0: how the measured attribute moved from the neutral voice's."""
    measure, least = MEASURES[one.attribute]
    change = measure(speak(one.instruction)) - measure(speak(None))
    return 0 if abs(change) < least else int(np.sign(change))


def test_the_voice_follows_what_the_held_out_instructions_state(speak):
    statements = stated("heldout")
    wrong = [one for one in statements if not one.holds(moved(speak, one))]
    assert 1 - len(wrong) / len(statements) >= 0.9, wrong


@pytest.mark.parametrize(
    ("pattern", "attribute", "sign"),
    [
        ("语速{}快", "speed", 1),
        ("语速{}慢", "speed", -1),
        ("音调{}高", "pitch", 1),
        ("音调{}低", "pitch", -1),
        ("语调起伏{}大", "contour", 1),
        ("语气{}平淡", "contour", -1),
        ("音量{}大", "energy", 1),
        ("音量{}小", "energy", -1),
    ],
)
def test_a_stronger_degree_word_is_heard(speak, pattern, attribute, sign):
    measure, least = MEASURES[attribute]
    neutral, slight, extreme = (
        sign * measure(speak(style)) for style in (None, pattern.format("稍"), pattern.format("极"))
    )
    assert neutral < slight < extreme
    assert extreme - neutral > 3 * least
