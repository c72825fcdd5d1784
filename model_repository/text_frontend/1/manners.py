"""Speaker and emotion of a manner as its voice can do them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from controls import ControlError
from mandarin import Notice
from markup import Manner
from voice_file import VoiceFile

INTENSITY = (0.0, 2.0)

# Chinese names and the emotions that they may mean, the likeliest first: of the KAN-TTS voices it is zhitian_emo that
# has 厌恶, and it calls that hate.
_ALIASES = {
    "中性": ("neutral",),
    "高兴": ("happy",),
    "开心": ("happy",),
    "愤怒": ("angry",),
    "生气": ("angry",),
    "悲伤": ("sad",),
    "难过": ("sad",),
    "害怕": ("fear",),
    "恐惧": ("fear",),
    "厌恶": ("hate", "disgust"),
    "惊讶": ("surprise",),
}


def check_choice(what: str, asked: str | None, known: Sequence[str]) -> None:
    """Raises `ControlError` for a speaker or emotion that the voice does not have."""
    if asked and asked not in known:
        choices = f"one of {', '.join(known)}" if known else "left out: this voice has only one"
        raise ControlError(f"{what} '{asked[:40]}' is not known; it must be {choices}")


def check_emotion(asked: str | None, voice: VoiceFile) -> None:
    """Raises `ControlError` for an emotion that the voice does not have."""
    check_choice("emotion", _own_name(asked, voice), voice.emotions)


def fitted(manner: Manner, voice: VoiceFile) -> tuple[Manner, list[Notice]]:
    """The manner as the voice can do it, and what it cannot. Raises `ControlError`.

    A voice without emotions goes on without, and says so.
    """
    check_choice("speaker", manner.speaker, voice.speakers)
    if not manner.emotion:
        return manner, []
    if not voice.emotions:
        emotion = manner.emotion[:40]
        message = f"voice '{voice.name}' has no emotion '{emotion}' (it has only one): it was left out."
        return replace(manner, emotion=None, intensity=1.0), [Notice("markup", f"emotion {emotion}", message)]
    check_emotion(manner.emotion, voice)
    # A designed voice is told its emotion in a word.
    low, high = INTENSITY if voice.design is None else (1.0, 1.0)
    asked, used = manner.intensity, min(max(manner.intensity, low), high)
    message = f"intensity {asked:g} is outside {low:g}..{high:g}: {used:g} was used"
    notices = [Notice("clamped", f"intensity {asked:g}", message)] if used != asked else []
    return replace(manner, emotion=_own_name(manner.emotion, voice), intensity=used), notices


def _own_name(asked: str | None, voice: VoiceFile) -> str | None:
    """The voice's own name for an emotion, if it has that."""
    return next((name for name in _ALIASES.get(asked or "", ()) if name in voice.emotions), asked)
