"""Latin letters: words of a small lexicon, everything else letter by letter, web and mail addresses."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from .data_files import table
from .numerals import cardinal, digits
from .results import Notice, Syllable
from .syllables import parse_many
from .tokens import Reading

_LETTERS = {key: parse_many(sound) for key, sound in table("letters.tsv").items()}
_LETTERS_PER_WORD = 6
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")
_ADDRESS_PARTS = re.compile(r"[A-Za-z]+|\d+|://|.", re.ASCII | re.DOTALL)
_ADDRESS_SYMBOLS = table("address_symbols.tsv")
_TOP_LEVEL = "com|cn|org|net|io|ai|dev|gov|edu|top|app|info|me|cc|tv|xyz|co|uk|jp|hk|tw"
_URL = re.compile(r"(?:https?|ftp)://[\w./?=&#%+~:@,;!*-]{0,400}[\w/]", re.ASCII | re.IGNORECASE)
_MAIL = re.compile(r"[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}", re.ASCII)
_SITE = re.compile(
    rf"(?:[A-Za-z0-9-]{{1,63}}\.){{1,5}}(?:{_TOP_LEVEL})(?![A-Za-z0-9])(?:/[\w./?=&#%+~:-]{{0,200}}[\w/])?",
    re.ASCII,
)
# Words with signs in them, and words with the blanks or apostrophes that English has.
_SPECIAL = re.compile(r"C\+\+|C#|F#|\.NET|Wi-Fi|T-shirt|e-mail|R&D|Q&A|AT&T", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]{1,3}(?![A-Za-z]))?")


@dataclass(frozen=True)
class LatinReading:
    """The readings of some Latin text, where it ends, and what to tell the user about them."""

    readings: list[Reading]
    end: int
    notices: list[Notice]


class Latin:
    """Reads Latin text; holds the lexicon."""

    def __init__(self) -> None:
        self._lexicon = {word: parse_many(sound) for word, sound in table("english.tsv").items()}

    def read_address(self, text: str, pos: int) -> LatinReading | None:
        """A URL, mail address or host name that starts at `pos`."""
        for pattern in (_URL, _MAIL, _SITE):
            if match := pattern.match(text, pos):
                return self._address(match[0], match.end())
        return None

    def read_word(self, text: str, pos: int) -> LatinReading | None:
        """A word that starts at `pos`."""
        if match := _SPECIAL.match(text, pos):
            sound = self._lexicon.get(match[0].lower())
            next_char = text[match.end() : match.end() + 1]
            if sound is not None and not (next_char.isascii() and next_char.isalpha()):
                return LatinReading([Reading(match[0], "latin", syllables=sound)], match.end(), [_known(match[0])])
        match = _WORD.match(text, pos)
        if match is None:
            return None
        readings, notices = self._word(match[0])
        return LatinReading(readings, match.end(), notices)

    def _address(self, address: str, end: int) -> LatinReading:
        readings: list[Reading] = []
        notices: list[Notice] = []
        for part in _ADDRESS_PARTS.findall(address):
            if part.isdigit():
                spoken = cardinal(part) if len(part) < 3 and part[0] != "0" else digits(part, telephone=True)
                readings.append(Reading(part, "number", spoken))
            elif part.isalpha():
                said, told = self._word(part)
                readings += said
                notices += told
            else:
                readings.append(Reading(part, "symbol", _ADDRESS_SYMBOLS[part]))
        return LatinReading(readings, end, notices)

    def _word(self, word: str) -> tuple[list[Reading], list[Notice]]:
        if len(word) == 1:
            return [spell(word)], []
        sound = self._lookup(word)
        if sound is not None:
            return [Reading(word, "latin", syllables=sound)], [_known(word)]
        parts = _PARTS.findall(word)
        # CamelCase is read part by part when that helps: TensorRT is "tensor", R, T.
        if len(parts) > 1 and any(len(part) > 2 and self._lookup(part) for part in parts):
            readings: list[Reading] = []
            notices: list[Notice] = []
            for part in parts:
                said, told = self._word(part)
                readings += said
                notices += told
            return readings, notices
        letters = word.replace("'", "")
        count = -(-len(letters) // _LETTERS_PER_WORD)
        cuts = [len(letters) * i // count for i in range(count + 1)]
        chunks = [letters[a:b] for a, b in itertools.pairwise(cuts)]
        notice = Notice("spelled", word, f"“{word}” is read letter by letter.")
        return [spell(chunk) for chunk in chunks], [notice]

    def _lookup(self, word: str) -> tuple[Syllable, ...] | None:
        if word in self._lexicon:
            return self._lexicon[word]
        # Short capitals are abbreviations: IT and US are not the words it and us.
        if word.isupper() and len(word) <= 3:
            return None
        lower = word.lower()
        if lower in self._lexicon:
            return self._lexicon[lower]
        for suffix in ("'s", "s"):
            if lower.endswith(suffix) and len(lower) > len(suffix) + 2 and lower[: -len(suffix)] in self._lexicon:
                return self._lexicon[lower[: -len(suffix)]] + parse_many("si5")
        return None


def spell(letters: str) -> Reading:
    """Letters by their names."""
    return Reading(letters, "latin", syllables=tuple(s for c in letters for s in _LETTERS[c.lower()]))


def _known(word: str) -> Notice:
    return Notice("lexicon", word, f"“{word}” is read from the English lexicon with Mandarin syllables.")
