"""Audio and subtitles on disk: complete or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from client_fakes import speech_chunk

from client import DiskFull, OutputError, Speech, _files, audio
from client._assemble import Assembly


def speech_of(samples: Any, sample_rate: int = 24000) -> Speech:
    """A speech with these samples."""
    return Speech(np.asarray(samples, dtype=np.int16), sample_rate, (), (), "demo", "balanced", 0.1, 0.2)


def tone(seconds: float = 0.5, sample_rate: int = 24000) -> Any:
    """A sine of 440 Hz."""
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    return (8000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)


@pytest.mark.parametrize("ending", [".wav", ".flac", ".WAV"])
def test_lossless_files_hold_every_sample(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"声音 out{ending}"
    speech_of(tone()).save(path)
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 24000
    np.testing.assert_array_equal(samples, tone())
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", [".opus", ".ogg"])
def test_opus_files_hold_the_sound(tmp_path: Path, ending: str) -> None:
    path = str(tmp_path / f"out{ending}")
    speech_of(tone(3.0)).save(path)
    info = soundfile.info(path)
    assert (info.format, info.subtype) == ("OGG", "OPUS")
    assert info.duration == pytest.approx(3.0, abs=0.1)
    assert os.path.getsize(path) < 3.0 * 24000


@pytest.mark.parametrize("sample_rate", [8000, 12000, 16000, 24000, 48000])
def test_opus_takes_its_sample_rates(tmp_path: Path, sample_rate: int) -> None:
    speech_of(tone(0.5, sample_rate), sample_rate).save(tmp_path / "out.opus")
    assert soundfile.info(tmp_path / "out.opus").duration == pytest.approx(0.5, abs=0.1)


def test_opus_refuses_another_sample_rate_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"speaks at 22050 Hz, write .wav or .flac"):
        speech_of(tone(0.5, 22050), 22050).save(tmp_path / "out.opus")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("name", ["out.mp3", "out", "out.wav.txt", ".wav"])
def test_an_unknown_ending_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"ending must be one of .wav, .flac, .opus, .ogg"):
        speech_of(tone()).save(tmp_path / name)


def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"the directory .*none does not exist"):
        speech_of(tone()).save(tmp_path / "none" / "out.wav")


def test_a_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is not a directory"):
        speech_of(tone()).save(tmp_path / "file" / "out.wav")


def test_a_target_that_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out.wav").mkdir()
    with pytest.raises(OutputError, match="is not a regular file"):
        speech_of(tone()).save(tmp_path / "out.wav")


def test_a_name_with_a_zero_in_it_is_refused() -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        speech_of(tone()).save("out\0.wav")


def test_a_name_that_is_too_long_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        speech_of(tone()).save(tmp_path / ("x" * 300 + ".wav"))
    assert not os.listdir(tmp_path)


def test_what_the_user_may_not_write_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out.wav").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: not os.path.isfile(path))
    with pytest.raises(OutputError, match="is write-protected"):
        _files.check_target(tmp_path / "out.wav")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="is not writable"):
        _files.check_target(tmp_path / "new.wav")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "out.wav"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="no room left on the disk"):
        speech_of(tone()).save(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.wav"]


def test_another_disk_error_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(source: str, target: str) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OutputError, match="Input/output error") as caught:
        speech_of(tone()).save(tmp_path / "out.wav")
    assert not isinstance(caught.value, DiskFull)
    assert not os.listdir(tmp_path)


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        speech_of(tone()).save(tmp_path / "out.wav")
    assert not os.listdir(tmp_path)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.wav").touch()
    (tmp_path / "link.wav").symlink_to("real.wav")
    speech_of(tone()).save(tmp_path / "link.wav")
    assert (tmp_path / "link.wav").is_symlink()
    assert soundfile.info(tmp_path / "real.wav").frames == 12000


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    speech_of(tone()).save(tmp_path / "out.wav")
    assert (tmp_path / "out.wav").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_in_the_working_directory_needs_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    speech_of(tone()).save("out.wav")
    assert (tmp_path / "out.wav").exists()


def test_long_audio_is_encoded_in_every_format() -> None:
    samples = tone(60.0)
    for ending in audio.FORMATS:
        assert audio.encode(samples, 24000, audio.format_of(f"x{ending}"))


def test_a_speech_has_subtitles() -> None:
    assembly = Assembly()
    assembly.add(speech_chunk(1.0, text="今天，"))
    assert assembly.finish().srt() == "1\n00:00:00,000 --> 00:00:01,000\n今天，\n"
