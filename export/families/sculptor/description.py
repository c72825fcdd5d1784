"""What a designed voice says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from export.families.sculptor.cosyvoice_config import FRAMES_PER_TOKEN
from export.families.sculptor.hift_stage import HIFT, MEL
from export.voice import Design, Generation, Limits, Range, Voice

FAMILY = "sculptor"
STAGES = ("style", "llasa", "xcodec2", "speech_tokenizer", "campplus", "lm", "flow", HIFT)
NEUTRAL = "neutral"

# Upstream's tables, in the order in which it writes the tags of a voice.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "gender": ("男性", "女性"),
    "age": ("小孩", "青年", "中年", "老年"),
    "speed": ("语速很快", "语速较快", "语速中等", "语速较慢", "语速很慢"),
    "volume": ("音量很大", "音量较大", "音量中等", "音量较小", "音量很小"),
    "pitch": ("音调很高", "音调较高", "音调中等", "音调较低", "音调很低"),
    "pitch_variation": ("音调变化很强", "音调变化较强", "音调变化一般", "音调变化较弱", "音调变化很弱"),
    "emotion": ("开心", "生气", "难过", "惊讶", "厌恶", "害怕", "其他"),
}
_TAG_OF_EMOTION = {
    "happy": "开心",
    "angry": "生气",
    "sad": "难过",
    "surprise": "惊讶",
    "disgust": "厌恶",
    "fear": "害怕",
}
EMOTIONS = (NEUTRAL, *_TAG_OF_EMOTION)
DESIGN = Design(
    attributes=ATTRIBUTES,
    tag_of_emotion=_TAG_OF_EMOTION,
    instruction="年轻女性，声音清晰自然，语速适中，语气亲切平和",
    max_instruction=200,
)
_MAX_TOKENS = 1000
# Longest piece in tokens of text, and what spectrograms are rounded up to, in frames of 20 ms.
_MAX_UNITS, _FRAME_BUCKET = 100, 32


@dataclass(frozen=True)
class Extent:
    """What of a checkpoint's sizes its voice is described by.

    `vocabulary` is how many texts its language model embeds; `chunk` and `look_ahead` are its flow's, in tokens. `lead`
    and `tail` are the frames before and after it that a sample of its vocoder depends on, `unsettled` those at the end
    of a spectrogram that are not yet as they will be.
    """

    vocabulary: int
    chunk: int
    look_ahead: int
    lead: int
    tail: int
    unsettled: int


def describe(name: str, extent: Extent, offered: tuple[str, ...]) -> Voice:
    """The voice called `name`, which offers these emotions."""
    return Voice(
        name=name,
        family=FAMILY,
        language="zh",
        sample_rate=MEL.sample_rate,
        hop_length=MEL.hop_length,
        speakers=(),
        emotions=offered,
        qualities={"high": HIFT},
        stages=STAGES,
        style="style",
        style_controls=(),
        # Of a spectrogram that is made at once, only time and loudness can be changed: pitch is an attribute.
        limits=Limits(Range(0.5, 2.0), pitch=Range(0.0, 0.0), contour=Range(1.0, 1.0), energy=Range(-6.0, 6.0)),
        mel=MEL,
        max_clauses=1,
        max_units=_MAX_UNITS,
        unit_bucket=1,
        frame_bucket=_FRAME_BUCKET,
        frame_step=1,
        frame_lead=extent.lead,
        frame_tail=extent.tail,
        generation=Generation(
            lm="lm",
            flow="flow",
            sos=extent.vocabulary,
            task=extent.vocabulary + 1,
            first_code=extent.vocabulary + 2,
            chunk_tokens=extent.chunk,
            look_ahead_tokens=extent.look_ahead,
            frames_per_token=FRAMES_PER_TOKEN,
            unsettled_frames=extent.unsettled,
            least_per_unit=2,
            most_per_unit=20,
            max_tokens=_MAX_TOKENS,
        ),
        design=DESIGN,
    )
