"""What a Sambert voice says of itself."""

from __future__ import annotations

from collections.abc import Mapping

from export.bundle import Choice
from export.families.sambert.stages import HIFIGAN
from export.families.sambert.voice import SambertVoice
from export.mel import kantts_format
from export.style.attributes import ATTRIBUTES
from export.vocoders.vocoder import Vocoder
from export.voice import Limits, Range, Voice

# Steps of the decoder in a bucket of frames: 0.6 s at three frames a step and 16 kHz.
_BUCKET_STEPS = 16
_PREFIX = "emotion_"
NEUTRAL = "neutral"


def emotions(symbols: Mapping[str, int]) -> tuple[str, ...]:
    """The emotions that have a name among the symbols of the feature `emo_category`, the default one first.

    A checkpoint has a row for every emotion of its table, whether it was trained on it or not.
    """
    names = [name.removeprefix(_PREFIX) for name in symbols if name.startswith(_PREFIX)]
    named = [name for name in names if name != "none" and not name.startswith("placeholder")]
    return tuple(sorted(named, key=lambda name: name != NEUTRAL))


def describe(name: str, voice: SambertVoice, vocoder: Vocoder, choice: Choice) -> Voice:
    """The voice called `name`. Raises `ExportError` for an emotion that the voice does not know."""
    files, config = voice.files, voice.config
    # A voice that was made from a recording has no table of speakers, whatever its config lists.
    speakers = files.speakers if "speaker_category" in config.vocabularies else ()
    return Voice(
        name=name,
        family="sambert",
        language="zh",
        sample_rate=files.sample_rate,
        hop_length=vocoder.hop_length,
        speakers=tuple(sorted(speakers, key=lambda speaker: speaker != files.default_speaker)),
        emotions=choice.offered(emotions(voice.symbols["emo_category"])),
        qualities={"high": HIFIGAN},
        stages=("style", "encoder", "decoder", HIFIGAN),
        style="style",
        style_controls=ATTRIBUTES,
        # Wide enough to be of use; up to where a voice stays intelligible is for each of them to be heard.
        limits=Limits(Range(0.5, 2.0), pitch=Range(-4.0, 4.0), contour=Range(0.4, 2.0), energy=Range(-6.0, 6.0)),
        mel=kantts_format(files.audio),
        max_clauses=8,
        max_units=100,
        unit_bucket=16,
        frame_bucket=_BUCKET_STEPS * config.outputs_per_step,
        frame_step=config.outputs_per_step,
        frame_lead=vocoder.lead,
        frame_tail=vocoder.tail,
    )
