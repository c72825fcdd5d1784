"""What can be compared with reference arrays, and how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from pathlib import Path

from export.bundle import Choice, Stage
from export.families import fastspeech2
from export.families.fastspeech2.verify import verify_fastspeech2
from export.families.sambert.verify import sambert_stages, verify_sambert
from export.families.sculptor.verify import cosyvoice2_stages, verify_cosyvoice2
from export.families.sculptor.xcodec2_verify import verify_xcodec2, xcodec2_verification_stages
from export.verify import Verifier
from export.vocoders.layouts import Layout
from export.vocoders.verify import verification_stages, verify_vocoder


class Verifiable(str, Enum):
    """Families of voices, CosyVoice2 of them, layouts of vocoders, codecs."""

    fastspeech2 = "fastspeech2"
    sambert = "sambert"
    hifigan = "hifigan"
    melgan = "melgan"
    parallelwavegan = "parallelwavegan"
    cosyvoice2 = "cosyvoice2"
    xcodec2 = "xcodec2"


def _fastspeech2(checkpoint: Path) -> Sequence[Stage]:
    return fastspeech2.bundle(checkpoint, Verifiable.fastspeech2.value, Choice()).stages


# What makes the stages of a checkpoint, and what compares their modules and graphs with a reference.
VERIFICATIONS: dict[Verifiable, tuple[Callable[[Path], Sequence[Stage]], Verifier]] = {
    Verifiable.fastspeech2: (_fastspeech2, verify_fastspeech2),
    Verifiable.sambert: (sambert_stages, verify_sambert),
    Verifiable.hifigan: (partial(verification_stages, Layout.hifigan), verify_vocoder),
    Verifiable.melgan: (partial(verification_stages, Layout.melgan), verify_vocoder),
    Verifiable.parallelwavegan: (partial(verification_stages, Layout.parallelwavegan), verify_vocoder),
    Verifiable.cosyvoice2: (cosyvoice2_stages, verify_cosyvoice2),
    Verifiable.xcodec2: (xcodec2_verification_stages, verify_xcodec2),
}
