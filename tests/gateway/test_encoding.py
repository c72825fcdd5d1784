"""Each format is a file that decodes to what was spoken, and leaves while it is made."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from gateway.audio import decoded

from server.gateway.encoding import FORMATS, Pieces, streamed, whole

SECONDS = 2.0
# What a codec puts before and after, and its container cannot tell of in a stream.
SLACK = {"mp3": 0.12, "aac": 0.12}
RATES = (16000, 22050, 24000)


def tone(sample_rate):
    """Two seconds of a voice's pitch, with a voice's ups and downs."""
    time = np.arange(int(SECONDS * sample_rate)) / sample_rate
    return (8000 * np.sin(2 * np.pi * 220 * time) * np.sin(2 * np.pi * 1.5 * time)).astype(np.int16)


def pieces_of(name, samples, sample_rate, size=4800):
    """What a stream's encoder gives, piece by piece; the last is its end."""
    taken = Pieces()
    encoder = streamed(name, sample_rate, taken)
    found = []
    for start in range(0, len(samples), size):
        encoder.add(samples[start : start + size])
        found.append(taken.take())
    encoder.finish()
    return [*found, taken.take()]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", FORMATS)
def test_a_stream_decodes_to_what_was_spoken(name, rate):
    found, found_rate = decoded(name, b"".join(pieces_of(name, tone(rate), rate)))
    assert found_rate == FORMATS[name].rate(rate)
    assert len(found) / found_rate == pytest.approx(SECONDS, abs=SLACK.get(name, 0.003))
    spectrum = np.abs(np.fft.rfft(found))
    assert np.argmax(spectrum) * found_rate / len(found) == pytest.approx(220, abs=3)


@pytest.mark.parametrize("name", FORMATS)
def test_the_first_fifth_of_a_second_leaves_at_once(name):
    first, *_ = pieces_of(name, tone(24000), 24000)
    assert len(first) > 400


@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_file_has_the_same_audio_as_a_stream(name):
    file = io.BytesIO()
    encoder = whole(name, 24000, file)
    encoder.add(tone(24000))
    encoder.finish()
    found, rate = decoded(name, file.getvalue())
    assert len(found) / rate == pytest.approx(SECONDS, abs=0.12 if name == "aac" else 0.003)


def test_a_whole_wav_tells_its_length():
    file = io.BytesIO()
    encoder = whole("wav", 24000, file)
    encoder.add(tone(24000))
    encoder.finish()
    file.seek(0)
    with wave.open(file) as read:
        assert (read.getnframes(), read.getframerate(), read.getnchannels()) == (48000, 24000, 1)


@pytest.mark.parametrize("name", FORMATS)
def test_an_encoder_without_audio_can_be_finished(name):
    pieces_of(name, np.zeros(0, np.int16), 24000)
