"""Sambert-HifiGan: SAM-BERT with the HiFi-GAN of KAN-TTS, from the checkpoints of ModelScope; see docs/sambert.md."""

from __future__ import annotations

from pathlib import Path

from export.bundle import Bundle, Choice
from export.families.sambert.description import describe
from export.families.sambert.stages import load_stages
from export.families.sambert.voice import load
from export.style.stage import style_stage


def bundle(checkpoint: Path, name: str, choice: Choice) -> Bundle:
    """Load a voice of a checkpoint folder as the voice `name`. Raises `ExportError`."""
    voice = load(checkpoint, choice.voice)
    stages, vocoder = load_stages(voice)
    description = describe(name, voice, vocoder, choice)
    return Bundle(description, (style_stage(), *stages), voice.symbols, voice.files.sources)
