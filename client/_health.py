"""What a healthy voice is: one that speaks a short sentence for a plausible time, and not silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ._errors import SpeechError
from ._models import Health, Voice, VoiceHealth
from ._request import Request
from ._speech import Speech

PLAUSIBLE_SECONDS = (0.3, 10.0)
SENTENCES = {"zh": "今天天气真好。", "en": "The weather is nice today."}


def probe(voice: Voice) -> Request:
    """The request that tries ``voice``."""
    language = next((tag[:2].lower() for tag in voice.languages if tag[:2].lower() in SENTENCES), "zh")
    return Request(text=SENTENCES[language], voice=voice.name)


def spoke(voice: Voice, speech: Speech) -> VoiceHealth:
    """How ``voice`` did, given what it said."""
    low, high = PLAUSIBLE_SECONDS
    message = "speaks"
    if not low <= speech.duration <= high:
        message = f"spoke for {speech.duration:.2f} s where {low} to {high} s are plausible"
    elif not np.any(speech.samples):
        message = "was silent"
    elif speech.voice not in ("", voice.name):
        message = f"was answered by voice {speech.voice}"
    return VoiceHealth(voice.name, message == "speaks", message, speech.first_audio, speech.elapsed, speech.duration)


def failed(voice: Voice, error: SpeechError) -> VoiceHealth:
    """How ``voice`` did, given that it failed."""
    return VoiceHealth(voice.name, False, str(error))


def summary(server: str, version: str, voices: Sequence[VoiceHealth]) -> Health:
    """The service's health from its voices'."""
    ill = [f"voice {voice.voice}: {voice.message}" for voice in voices if not voice.healthy]
    if not voices:
        return Health(False, "the server has no voice ready: load one", server, version)
    known = tuple(replace(voice, server=server) for voice in voices)
    return Health(not ill, "; ".join(ill) or "every voice speaks", server, version, known)


def together(server: str, each: Sequence[Health]) -> Health:
    """The health of several servers, which is well when each is."""
    ill = [f"{health.server}: {health.message}" for health in each if not health.healthy]
    version = next((health.version for health in each if health.version), "")
    voices = tuple(voice for health in each for voice in health.voices)
    return Health(not ill, "; ".join(ill) or "every voice speaks on every server", server, version, voices)


def unreachable(server: str, error: SpeechError) -> Health:
    """The health of a service that could not even be asked."""
    return Health(False, str(error), server)
