"""Mandarin text to clauses of words, syllables, tones and breaks, and their encoding for a voice."""

from .characters import CLOSING, PAUSING, has_words, is_mute
from .frontend import EMPTY, NOTHING, Frontend
from .results import Analysis, Clause, Notice, Syllable, TextError, Word
from .say_as import SAY_AS, say_as
from .spans import Place, Span, parse_pinyin
from .units_baker import BakerUnits, EncodedClause

__all__ = [
    "CLOSING",
    "EMPTY",
    "NOTHING",
    "PAUSING",
    "SAY_AS",
    "Analysis",
    "BakerUnits",
    "Clause",
    "EncodedClause",
    "Frontend",
    "Notice",
    "Place",
    "Span",
    "Syllable",
    "TextError",
    "Word",
    "has_words",
    "is_mute",
    "parse_pinyin",
    "say_as",
]
