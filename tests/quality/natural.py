"""The voice as it is: every sentence once, nothing asked for but the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from client import Speech

from .judge import Comparison, compare, total
from .listeners import Opinion, Recogniser, for_judges, opinion
from .table import percent, table

# The promise.
MOST_PINYIN_ERROR = 0.03
LEAST_OVERALL = 3.2


@dataclass(frozen=True)
class Judged:
    """One sentence and what the judges make of it."""

    text: str
    heard: str
    comparison: Comparison
    opinion: Opinion
    seconds: float


@dataclass(frozen=True)
class Totals:
    """Over all sentences: errors per syllable, and the mean opinions."""

    pinyin: Comparison
    opinion: Opinion


def judge(text: str, speech: Speech, recogniser: Recogniser) -> Judged:
    """Both judges on one recording of ``text``."""
    audio = for_judges(speech.samples, speech.sample_rate)
    heard = recogniser.transcribe(audio)
    return Judged(text, heard, compare(text, heard), opinion(audio), speech.duration)


def totals(judged: Sequence[Judged]) -> Totals:
    """The sums of the errors, the means of the opinions."""
    count = len(judged)
    return Totals(
        total(one.comparison for one in judged),
        Opinion(
            sum(one.opinion.overall for one in judged) / count,
            sum(one.opinion.signal for one in judged) / count,
            sum(one.opinion.background for one in judged) / count,
        ),
    )


def broken_promises(result: Totals) -> list[str]:
    """A sentence for each promise that is not kept."""
    broken = []
    if result.pinyin.error > MOST_PINYIN_ERROR:
        broken.append(f"pinyin error {result.pinyin.error:.1%} is above the promised {MOST_PINYIN_ERROR:.0%}")
    if result.opinion.overall < LEAST_OVERALL:
        broken.append(f"mean OVRL {result.opinion.overall:.2f} is below the promised {LEAST_OVERALL}")
    return broken


def report(judged: Sequence[Judged], result: Totals) -> str:
    """The table for people."""
    rows = []
    for number, one in enumerate(judged, start=1):
        row = [str(number), percent(one.comparison.error), f"{one.opinion.overall:.2f}", one.text]
        rows.append(row)
        if one.comparison.edits:
            rows.append(["", "", "", f"→ {one.heard}"])
    pinyin, mos = result.pinyin, result.opinion
    return "\n".join(
        [
            table(
                ["#", "pinyin error %", "OVRL", "text (→ what Whisper heard)"], rows, ["#", "pinyin error %", "OVRL"]
            ),
            "",
            f"pinyin error {pinyin.error:.2%} ({pinyin.edits} of {pinyin.length} syllables)",
            f"DNSMOS OVRL {mos.overall:.2f}, SIG {mos.signal:.2f}, BAK {mos.background:.2f}",
        ]
    )


def as_json(judged: Sequence[Judged], result: Totals) -> dict[str, object]:
    """The same for programs."""
    return {
        "promise": {"pinyin_error_at_most": MOST_PINYIN_ERROR, "ovrl_at_least": LEAST_OVERALL},
        "pinyin_error": round(result.pinyin.error, 4),
        "pinyin_edits": result.pinyin.edits,
        "syllables": result.pinyin.length,
        "dnsmos": _mos(result.opinion),
        "sentences": [
            {
                "text": one.text,
                "heard": one.heard,
                "pinyin_error": round(one.comparison.error, 4),
                "dnsmos": _mos(one.opinion),
                "seconds": round(one.seconds, 3),
            }
            for one in judged
        ],
    }


def _mos(mos: Opinion) -> dict[str, float]:
    return {
        "ovrl": round(mos.overall, 3),
        "sig": round(mos.signal, 3),
        "bak": round(mos.background, 3),
    }
