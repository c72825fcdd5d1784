"""Mandarin text to clauses of words, syllables, tones and breaks, and their encoding for a voice."""

from .frontend import EMPTY, Frontend
from .results import Analysis, Clause, Notice, Syllable, TextError, Word
from .units_baker import BakerUnits, EncodedClause

__all__ = [
    "EMPTY",
    "Analysis",
    "BakerUnits",
    "Clause",
    "EncodedClause",
    "Frontend",
    "Notice",
    "Syllable",
    "TextError",
    "Word",
]
