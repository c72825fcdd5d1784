"""What is otherwise with voices whose language model reads text: longer pieces, and readings that cannot be given."""

from __future__ import annotations

from dataclasses import replace

from block import Speech
from mandarin import Analysis, Notice, SculptorUnits
from voice_file import VoiceFile

# Where a reading in pinyin came from, by the kind of its span.
_SOURCES = {"pinyin": "markup", "citation": "dictionary"}
# Notices about how other voices read Latin letters.
_MANDARIN_ONLY = ("spelled", "lexicon")


def as_text(analysis: Analysis, units: SculptorUnits, speech: Speech, voice: VoiceFile) -> Analysis:
    """The analysis of a block as the voice reads it: sentences together, Latin as it is, pinyin told to be left out."""
    told = [notice for notice in analysis.notices if notice.kind not in _MANDARIN_ONLY]
    for span in speech.spans:
        if span.kind in _SOURCES:
            word = speech.text[span.start : span.end]
            message = f"voice '{voice.name}' reads characters, not pinyin: '{span.value}' for '{word}' was left out."
            told.append(Notice(_SOURCES[span.kind], word, message))
    return replace(analysis, clauses=tuple(units.joined(analysis.clauses)), notices=tuple(dict.fromkeys(told)))
