"""Mandarin text to clauses of words, syllables, tones and breaks, and their encoding for a voice."""

from .characters import CLOSING, PAUSING, has_words, is_mute
from .encoding import EncodedClause, SymbolError, UnitEncoder
from .frontend import EMPTY, NOTHING, Frontend
from .results import Analysis, Clause, Notice, Syllable, TextError, Word
from .say_as import SAY_AS, say_as
from .spans import Place, Span, parse_phonemes, parse_pinyin
from .units_baker import BakerUnits
from .units_sambert import SambertUnits
from .units_sculptor import SculptorUnits

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
    "SambertUnits",
    "SculptorUnits",
    "Span",
    "Syllable",
    "SymbolError",
    "TextError",
    "UnitEncoder",
    "Word",
    "has_words",
    "is_mute",
    "parse_phonemes",
    "parse_pinyin",
    "say_as",
]
