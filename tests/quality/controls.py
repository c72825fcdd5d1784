"""What speed, pitch and energy really do, and at which values the voice is no longer understood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from client import Speech, Synthesizer

from .acoustics import mean_log_f0, rms_db
from .judge import Comparison, total
from .listeners import Recogniser
from .natural import judge
from .table import percent, table

SENTENCES = 6  # the first of those whose numbers are written in characters


@dataclass(frozen=True)
class Control:
    """A control: the values to try, how its effect is measured and how far that may be off.

    ``effect`` takes the recording, the natural one and the value; ``wanted`` tells the right effect.
    Values beyond ``judged_within`` are measured, but nothing is promised for them.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    effect: Callable[[Speech, Speech, float], float]
    wanted: Callable[[float], float]
    tolerance: float
    judged_within: float


@dataclass(frozen=True)
class Row:
    """One value of one control over all sentences. ``right`` is None where nothing is promised."""

    control: str
    value: float
    effects: tuple[float, ...]
    wanted: float
    right: bool | None
    pinyin: Comparison
    overall: float
    notices: tuple[str, ...]

    @property
    def effect(self) -> float:
        """The mean effect."""
        return fmean(self.effects)


def _relative_duration(speech: Speech, natural: Speech, value: float) -> float:
    return speech.duration * value / natural.duration


def _semitones(speech: Speech, natural: Speech, value: float) -> float:
    octaves = mean_log_f0(speech.samples, speech.sample_rate) - mean_log_f0(natural.samples, natural.sample_rate)
    return 12 * octaves


def _decibels(speech: Speech, natural: Speech, value: float) -> float:
    return rms_db(speech.samples) - rms_db(natural.samples)


CONTROLS = (
    Control("speed", "×", (0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0), _relative_duration, lambda value: 1.0, 0.03, 2.0),
    Control("pitch", "st", (-6, -4, -2, 2, 4, 6), _semitones, lambda value: value, 1.0, 4.0),
    Control("energy", "dB", (-6, -3, 3, 6), _decibels, lambda value: value, 1.5, 6.0),
)


def measure(
    texts: Sequence[str],
    synthesizer: Synthesizer,
    recogniser: Recogniser,
    only: str | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> list[Row]:
    """Every value of every control (or of the one named) over every text."""
    progress("natural")
    natural = [synthesizer.synthesize(text) for text in texts]
    rows = []
    for control in CONTROLS:
        if only in (None, control.name):
            for value in control.values:
                progress(f"{control.name} {value:g}")
                rows.append(_row(control, value, texts, natural, synthesizer, recogniser))
    return rows


def _row(
    control: Control,
    value: float,
    texts: Sequence[str],
    natural: Sequence[Speech],
    synthesizer: Synthesizer,
    recogniser: Recogniser,
) -> Row:
    spoken = [synthesizer.synthesize(text, **{control.name: float(value)}) for text in texts]  # type: ignore[arg-type]
    judged = [judge(text, speech, recogniser) for text, speech in zip(texts, spoken, strict=True)]
    effects = tuple(control.effect(speech, before, value) for speech, before in zip(spoken, natural, strict=True))
    clamps = {note.message for speech in spoken for note in speech.notices if note.kind == "clamped"}
    wanted = control.wanted(value)
    promised = not clamps and abs(value) <= control.judged_within
    return Row(
        control.name,
        value,
        effects,
        wanted,
        abs(fmean(effects) - wanted) <= control.tolerance if promised else None,
        total(one.comparison for one in judged),
        fmean(one.opinion.overall for one in judged),
        tuple(sorted(clamps)),
    )


def broken_promises(rows: Sequence[Row]) -> list[str]:
    """A sentence for each value that does not do what it says."""
    return [
        f"{row.control} {row.value:g}: the effect is {row.effect:.2f}, it should be {row.wanted:g}"
        for row in rows
        if row.right is False
    ]


def report(rows: Sequence[Row]) -> str:
    """The table for people."""
    marks = {True: "ok", False: "WRONG", None: "-"}
    numbers = ["value", "wanted", "effect", "pinyin error %", "OVRL"]
    units = {control.name: control.unit for control in CONTROLS}
    cells = [
        [
            row.control,
            f"{row.value:+g} {units[row.control]}" if row.control != "speed" else f"{row.value:g} ×",
            f"{row.wanted:g}",
            f"{row.effect:.2f}",
            f"{min(row.effects):.2f}..{max(row.effects):.2f}",
            marks[row.right],
            percent(row.pinyin.error),
            f"{row.overall:.2f}",
            "; ".join(row.notices),
        ]
        for row in rows
    ]
    header = ["control", "value", "wanted", "effect", "range", "", "pinyin error %", "OVRL", "notices"]
    key = (
        "effect: speed: duration × speed / natural duration; pitch: semitones of mean f0 from natural; "
        "energy: dB of RMS from natural"
    )
    return f"{table(header, cells, numbers)}\n\n{key}"


def as_json(rows: Sequence[Row]) -> dict[str, object]:
    """The same for programs."""
    return {
        "tolerances": {control.name: control.tolerance for control in CONTROLS},
        "rows": [
            {
                "control": row.control,
                "value": row.value,
                "wanted": row.wanted,
                "effect": round(row.effect, 4),
                "effects": [round(effect, 4) for effect in row.effects],
                "right": row.right,
                "pinyin_error": round(row.pinyin.error, 4),
                "ovrl": round(row.overall, 3),
                "notices": list(row.notices),
            }
            for row in rows
        ],
    }
