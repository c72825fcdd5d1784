"""Vocoder output → 16-bit PCM of a whole answer, and its events."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Pcm = npt.NDArray[np.int16]

# Above this the limiter bends the signal instead of clipping it.
_KNEE = 0.8
# A clause that ends in mid-sentence may stop while the voice still sounds: its end is faded over this time.
_FADE_SECONDS = 0.005


def amplify(audio: Samples, decibels: float) -> Samples:
    """Scale by a gain in dB; what would exceed the knee is compressed smoothly and never reaches full scale."""
    scaled = np.asarray(audio * np.float32(10.0 ** (decibels / 20.0)), dtype=np.float32)
    level = np.abs(scaled)
    loud = level > _KNEE
    if loud.any():
        over = (level[loud] - _KNEE) / (1.0 - _KNEE)
        scaled[loud] = np.sign(scaled[loud]) * (_KNEE + (1.0 - _KNEE) * np.tanh(over)).astype(np.float32)
    return scaled


def fade_out(audio: Samples, rate: int) -> Samples:
    """The audio with its last milliseconds going down to silence."""
    length = min(round(_FADE_SECONDS * rate), audio.size)
    faded = audio.copy()
    faded[audio.size - length :] *= np.linspace(1.0, 0.0, length, dtype=np.float32)
    return faded


def to_pcm(audio: Samples) -> Pcm:
    """-1…1 float → int16."""
    return np.asarray(np.rint(np.clip(audio, -1.0, 1.0) * 32767.0), dtype=np.int16)


def shifted(timing: dict[str, Any], offset: float) -> dict[str, Any]:
    """A clause of the events, its times moved by `offset` seconds."""

    def moved(item: dict[str, Any]) -> dict[str, Any]:
        return item | {"start": round(item["start"] + offset, 4), "end": round(item["end"] + offset, 4)}

    seconds = timing["frames"] * timing["hop_length"] / timing["sample_rate"]
    words = [moved(word) | {"phones": [moved(phone) for phone in word["phones"]]} for word in timing["words"]]
    return {"text": timing["text"], "start": round(offset, 4), "end": round(offset + seconds, 4), "words": words}


def finish(audio: Samples, timings: list[str], energy: list[float]) -> tuple[Pcm, int, str]:
    """Cut each clause to its length, amplify it and join them with the pauses between them.

    A clause's `lead` is an explicit break before it, in place of the pause that the clause before asks for, and `trail`
    one after it; each has `seconds` and `marks`, [name, seconds from its start]. `continues` says that the audio is a
    piece of a clause without its end.

    audio [n, samples], timings n JSON texts, energy n gains in dB → PCM [samples], the sample rate in Hz, events JSON.
    """
    clauses: list[dict[str, Any]] = [json.loads(text) for text in timings]
    rate = int(clauses[0]["sample_rate"])
    pieces: list[Pcm] = []
    events: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    written = 0

    def rest(silence: dict[str, Any]) -> None:
        nonlocal written
        marks.extend(_mark(name, written / rate + time) for name, time in silence["marks"])
        pieces.append(np.zeros(round(silence["seconds"] * rate), dtype=np.int16))
        written += pieces[-1].size

    pause = _silence(0.0)
    for row, clause, gain in zip(audio, clauses, energy, strict=True):
        rest(clause["lead"] or pause)
        marks += [_mark(mark["name"], written / rate + mark["time"]) for mark in clause["marks"]]
        events.append(shifted(clause, written / rate))
        speech = amplify(row[: clause["frames"] * clause["hop_length"]], gain)
        pieces.append(to_pcm(speech if clause.get("continues") else fade_out(speech, rate)))
        written += pieces[-1].size
        if clause["trail"]:
            rest(clause["trail"])
        pause = _silence(clause["pause"])
    notices = [notice for clause in clauses for notice in clause["notices"]]
    answer = {"clauses": events, "marks": marks, "notices": notices, "voice": clauses[0]["voice"]}
    return np.concatenate(pieces), rate, json.dumps(answer, ensure_ascii=False)


def _silence(seconds: float) -> dict[str, Any]:
    return {"seconds": seconds, "marks": []}


def _mark(name: str, time: float) -> dict[str, Any]:
    return {"name": name, "time": round(time, 4)}
