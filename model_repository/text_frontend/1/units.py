"""Clauses → padded arrays of linguistic units, with a description of each clause for the later stages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from controls import Controls
from mandarin import BakerUnits, Clause, EncodedClause, Notice, SambertUnits, SculptorUnits, UnitEncoder
from markup import Manner
from tokenizers_read import TokenizerShelf
from voice_file import BrokenVoiceError, VoiceFile

# Seconds of silence that are left at the start and the end of a clause; more goes at the start, where there is no vowel
# that dies away.
_TIGHT_START = 0.04
_TIGHT_END = 0.1


@dataclass(frozen=True)
class Break:
    """An explicit break, and its marks with the seconds from its start."""

    seconds: float = 0.0
    marks: tuple[tuple[str, float], ...] = ()

    def then(self, seconds: float, marks: Sequence[str]) -> Break:
        """This break and one more, which has marks at its start."""
        return Break(self.seconds + seconds, (*self.marks, *((name, self.seconds) for name in marks)))


@dataclass(frozen=True)
class Utterance:
    """A clause, its units and how to speak it.

    `notices` are told with it, `lead` and `trail` are breaks before and after it.
    `flows_in` and `flows_on`: what is before and after it follows without a pause of the voice's own.
    """

    clause: Clause
    encoded: EncodedClause
    controls: Controls
    notices: tuple[Notice, ...] = ()
    lead: Break | None = None
    trail: Break | None = None
    flows_in: bool = False
    flows_on: bool = False


@dataclass(frozen=True)
class Batch:
    """The clauses of a request: `units` [n, T, F], `lengths` [n, 1], `controls` [n, 1] each, `clauses` n JSON texts."""

    units: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]
    controls: dict[str, npt.NDArray[np.float32]]
    clauses: list[str]


def unit_encoder(voice: VoiceFile, manner: Manner, tokenizers: TokenizerShelf) -> UnitEncoder:
    """What turns words into the units of the voice's family, in a manner that the voice has.

    Raises `BrokenVoiceError`.
    """
    if voice.family == "fastspeech2":
        return BakerUnits(voice.symbols)
    if voice.family == "sambert":
        emotion = manner.emotion or next(iter(voice.emotions), "neutral")
        speaker = manner.speaker or next(iter(voice.speakers), None)
        return SambertUnits(voice.symbols, emotion, speaker, manner.intensity)
    if voice.family == "sculptor":
        return SculptorUnits(tokenizers.get(voice), voice.max_units)
    raise BrokenVoiceError(f"voice '{voice.name}' is of family '{voice.family}', which this server cannot read")


def describe(utterance: Utterance, voice: VoiceFile) -> str:
    """The JSON that travels with a clause to the aligner and to postprocess.

    A phone without a label continues the one before it; `pauses` are the units that belong to no word, `vanishing`
    those that may have no frame, and `tight` those that are short, [unit, seconds at most]: what silence the voice
    would make around a part of a sentence, or beside an explicit break.
    """
    clause, encoded = utterance.clause, utterance.encoded
    # Of a voice that reads text, nobody knows which units a word is heard in.
    words = zip(clause.words, encoded.word_spans, strict=True) if encoded.word_spans else ()
    edges = [
        (utterance.flows_in, encoded.opening, _TIGHT_START),
        (utterance.flows_on, encoded.closing, _TIGHT_END),
    ]
    return json.dumps(
        {
            "text": clause.text,
            "pause": clause.pause / utterance.controls.speed,
            "lead": utterance.lead and asdict(utterance.lead),
            "trail": utterance.trail and asdict(utterance.trail),
            "marks": encoded.bookmarks,
            "words": [[word.text, *span] for word, span in words],
            "phones": encoded.labels,
            "pauses": encoded.pauses,
            "vanishing": encoded.vanishing,
            "tight": [[unit, most] for flows, unit, most in edges if flows and unit is not None],
            "voice": voice.name,
            "vocoders": voice.vocoders,
            "sample_rate": voice.sample_rate,
            "hop_length": voice.hop_length,
            "unit_bucket": voice.unit_bucket,
            "frame_bucket": voice.frame_bucket,
            "frame_step": voice.frame_step,
            "frame_lead": voice.frame_lead,
            "frame_tail": voice.frame_tail,
            "notices": [asdict(notice) for notice in utterance.notices],
        },
        ensure_ascii=False,
    )


def batch(utterances: Sequence[Utterance], voice: VoiceFile) -> Batch:
    """The clauses of one voice, padded."""
    encoded = [utterance.encoded.ids for utterance in utterances]
    lengths = np.array([[len(ids)] for ids in encoded], dtype=np.int32)
    padded = -(-int(lengths.max()) // voice.unit_bucket) * voice.unit_bucket
    units = np.zeros((len(encoded), padded, encoded[0].shape[1]), dtype=np.int32)
    for row, ids in zip(units, encoded, strict=True):
        row[: len(ids)] = ids
    columns = [asdict(utterance.controls) for utterance in utterances]
    controls = {name: np.array([[column[name]] for column in columns], dtype=np.float32) for name in columns[0]}
    return Batch(units, lengths, controls, [describe(utterance, voice) for utterance in utterances])
