"""What every family's encoder gives: a clause as the units that its acoustic model takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .results import Clause, Word

# Feature → symbol → id, as a voice has them.
Symbols = Mapping[str, Mapping[str, int]]
_LISTED = 12


class SymbolError(ValueError):
    """The voice has no such symbol; the message is one line that lists those it has."""


@dataclass(frozen=True)
class EncodedClause:
    """A clause of T units with F features each.

    `ids` [T, F] int32. `labels` are what the timing events call each unit, "" for one that goes on with the phone
    before it. `word_spans` has the first unit of each word and the one after its last; what is in none is a pause.
    `bookmarks` are the clause's, each with the unit that begins there (T, if none does). `vanishing` are the units that
    may have no frame at all. `opening` and `closing` are the units of the silence at the clause's ends, if it has any.
    """

    ids: npt.NDArray[np.int32]
    labels: tuple[str, ...]
    word_spans: tuple[tuple[int, int], ...]
    bookmarks: tuple[tuple[str, int], ...] = ()
    vanishing: tuple[int, ...] = ()
    opening: int | None = None
    closing: int | None = None

    @property
    def pauses(self) -> list[int]:
        """The units that belong to no word."""
        spoken = {unit for first, last in self.word_spans for unit in range(first, last)}
        return [unit for unit in range(len(self.labels)) if unit not in spoken]


class UnitEncoder(Protocol):
    """Turns clauses into the units of one voice in one manner."""

    def count(self, words: Sequence[Word]) -> int:
        """How many units a clause of these words has."""
        ...

    def encode(self, clause: Clause) -> EncodedClause:
        """The units of a clause. Raises `SymbolError`."""
        ...


def number(symbols: Symbols, feature: str, symbol: str) -> int:
    """The id of a symbol. Raises `SymbolError`."""
    known = symbols[feature]
    if symbol not in known:
        raise SymbolError(f"the voice has no {feature} '{symbol[:40]}'; it has {_some(known)}")
    return known[symbol]


def _some(names: Iterable[str]) -> str:
    first, rest = list(names)[:_LISTED], list(names)[_LISTED:]
    return ", ".join(first) + (f" and {len(rest)} more" if rest else "")
