"""What a text with markup says: words in a manner, breaks and marks, in their order."""

from __future__ import annotations

from dataclasses import dataclass

from controls import NATURAL, Shift
from mandarin import Notice

# Ends of a paragraph and of a sentence that no punctuation marks.
PARAGRAPH_END = "\n"
SENTENCE_END = "\u2028"

MAX_BREAK = 10.0
MAX_BREAKS = 600.0


class MarkupError(ValueError):
    """Markup that cannot be understood; the message is one line that says where and what to do."""


@dataclass(frozen=True)
class Manner:
    """Who speaks and how; `shift` comes on top of the request's own speed, pitch and energy.

    `intensity` is a factor of the emotion: 0 is neutral, 1 as the voice was recorded.
    """

    voice: str
    speaker: str | None = None
    emotion: str | None = None
    intensity: float = 1.0
    shift: Shift = NATURAL


@dataclass(frozen=True)
class Said:
    """A piece of text in one manner, which starts at the character `at` of the request's text.

    With a `kind` it is one stretch whose reading is given: see `mandarin.Span`, also for `value`.
    """

    text: str
    manner: Manner
    at: int
    kind: str = ""
    value: str = ""


@dataclass(frozen=True)
class Pause:
    """An explicit break, in seconds."""

    seconds: float
    at: int


@dataclass(frozen=True)
class Named:
    """A place whose time the caller wants to know."""

    name: str
    at: int


Item = Said | Pause | Named


@dataclass(frozen=True)
class Script:
    """A whole text; `length` is that of the request's text in characters."""

    items: tuple[Item, ...]
    length: int
    notices: tuple[Notice, ...] = ()
