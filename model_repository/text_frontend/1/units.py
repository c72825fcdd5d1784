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


@dataclass(frozen=True)
class Batch:
    """The clauses of a request: `units` [n, T, F], `lengths` [n, 1], `clauses` n JSON texts."""

    units: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]
    clauses: list[str]


def unit_encoder(voice: VoiceFile) -> BakerUnits:
    """What turns words into the units of the voice's family."""
    if voice.family == "fastspeech2":
        return BakerUnits(voice.symbols)
    raise BrokenVoiceError(f"voice '{voice.name}' is of family '{voice.family}', which this server cannot read")


def describe(
    clause: Clause, encoded: EncodedClause, voice: VoiceFile, controls: Controls, notices: Sequence[Notice]
) -> str:
    """The JSON that travels with a clause to the aligner and to postprocess.

    A phone without a label continues the one before it; `pauses` are the units that belong to no word.
    """
    phones = ["" if phone in _CARRIERS else phone for phone in encoded.phones]
    spans = [
        (word, first, last + (not phones[last]))
        for word, (first, last) in zip(clause.words, encoded.word_spans, strict=True)
    ]
    spoken = {unit for _, first, last in spans for unit in range(first, last)}
    return json.dumps(
        {
            "text": clause.text,
            "pause": clause.pause / controls.speed,
            "words": [[word.text, first, last] for word, first, last in spans],
            "phones": phones,
            "pauses": [unit for unit in range(len(phones)) if unit not in spoken],
            "voice": voice.name,
            "vocoders": voice.vocoders,
            "sample_rate": voice.sample_rate,
            "hop_length": voice.hop_length,
            "unit_bucket": voice.unit_bucket,
            "frame_bucket": voice.frame_bucket,
            "frame_tail": voice.frame_tail,
            "notices": [asdict(notice) for notice in notices],
        },
        ensure_ascii=False,
    )


def batch(
    clauses: Sequence[Clause],
    encoder: BakerUnits,
    voice: VoiceFile,
    controls: Controls,
    notices: Sequence[Notice],
) -> Batch:
    """Encode and pad clauses; the notices of the request travel with the first."""
    encoded = [encoder.encode(clause) for clause in clauses]
    longest = max(len(item.ids) for item in encoded)
    padded = -(-longest // voice.unit_bucket) * voice.unit_bucket
    units = np.zeros((len(encoded), padded, 1), dtype=np.int32)
    for row, item in zip(units, encoded, strict=True):
        row[: len(item.ids), 0] = item.ids
    described = [
        describe(clause, item, voice, controls, notices if i == 0 else ())
        for i, (clause, item) in enumerate(zip(clauses, encoded, strict=True))
    ]
    lengths = np.array([[len(item.ids)] for item in encoded], dtype=np.int32)
    return Batch(units, lengths, described)
