"""Clauses → padded arrays of linguistic units, with a description of each clause for the later stages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from controls import Controls
from mandarin import BakerUnits, Clause, EncodedClause, Notice
from voice_file import BrokenVoiceError, VoiceFile

# Units that carry the rest of the vowel before them: the acoustic model was trained so. The closing silence is `eos`.
_CARRIERS = ("#0", "#1", "#2", "sil")

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
    """A clause and how to speak it; `notices` are told with it, `lead` and `trail` are breaks before and after it.

    `flows_in` and `flows_on`: what is before and after it follows without a pause of the voice's own.
    """

    clause: Clause
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


def unit_encoder(voice: VoiceFile) -> BakerUnits:
    """What turns words into the units of the voice's family."""
    if voice.family == "fastspeech2":
        return BakerUnits(voice.symbols)
    raise BrokenVoiceError(f"voice '{voice.name}' is of family '{voice.family}', which this server cannot read")


def describe(utterance: Utterance, encoded: EncodedClause, voice: VoiceFile) -> str:
    """The JSON that travels with a clause to the aligner and to postprocess.

    A phone without a label continues the one before it; `pauses` are the units that belong to no word,
    and `tight` those of them that are short, [unit, seconds at most]: what silence the voice would make around a part
    of a sentence, or beside an explicit break.
    """
    clause = utterance.clause
    phones = ["" if phone in _CARRIERS else phone for phone in encoded.phones]
    spans = [
        (word, first, last + (not phones[last]))
        for word, (first, last) in zip(clause.words, encoded.word_spans, strict=True)
    ]
    spoken = {unit for _, first, last in spans for unit in range(first, last)}
    tight = [[0, _TIGHT_START]] if utterance.flows_in else []
    if utterance.flows_on:
        tight.append([len(phones) - 1, _TIGHT_END])
    return json.dumps(
        {
            "text": clause.text,
            "pause": clause.pause / utterance.controls.speed,
            "lead": utterance.lead and asdict(utterance.lead),
            "trail": utterance.trail and asdict(utterance.trail),
            "marks": encoded.bookmarks,
            "words": [[word.text, first, last] for word, first, last in spans],
            "phones": phones,
            "pauses": [unit for unit in range(len(phones)) if unit not in spoken],
            "tight": tight,
            "voice": voice.name,
            "vocoders": voice.vocoders,
            "sample_rate": voice.sample_rate,
            "hop_length": voice.hop_length,
            "unit_bucket": voice.unit_bucket,
            "frame_bucket": voice.frame_bucket,
            "frame_tail": voice.frame_tail,
            "notices": [asdict(notice) for notice in utterance.notices],
        },
        ensure_ascii=False,
    )


def batch(utterances: Sequence[Utterance], encoder: BakerUnits, voice: VoiceFile) -> Batch:
    """Encode and pad the clauses of one voice."""
    encoded = [encoder.encode(utterance.clause) for utterance in utterances]
    longest = max(len(item.ids) for item in encoded)
    padded = -(-longest // voice.unit_bucket) * voice.unit_bucket
    units = np.zeros((len(encoded), padded, 1), dtype=np.int32)
    for row, item in zip(units, encoded, strict=True):
        row[: len(item.ids), 0] = item.ids
    lengths = np.array([[len(item.ids)] for item in encoded], dtype=np.int32)
    columns = [asdict(utterance.controls) for utterance in utterances]
    controls = {name: np.array([[column[name]] for column in columns], dtype=np.float32) for name in columns[0]}
    described = [describe(utterance, item, voice) for utterance, item in zip(utterances, encoded, strict=True)]
    return Batch(units, lengths, controls, described)
