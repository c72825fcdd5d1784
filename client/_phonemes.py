"""How a text is read, and pinyin as a text that is read so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ._errors import InvalidRequest, ProtocolError
from ._models import Notice
from ._plan import Call, Plan
from ._request import Request

PHRASE = 2
"""The longest break that pinyin gives by a digit; what is longer, a mark makes."""

_SYLLABLE = re.compile(r"[a-zü:]{1,7}[1-5]")
# What may stand in pinyin: a word's syllables, the break after it, and marks or silences.
_TOKEN = re.compile(
    rf"(?P<pinyin>{_SYLLABLE.pattern})|#(?P<ending>[0-2])(?!\w)"
    r"|(?P<mark>[。！？!?…，,；;：:、—\n\u2028]|\[pause:\d{1,9}(?:\.\d{1,9})?m?s\])|(?P<blank>[^\S\n\u2028]+)"
)
# Line ends that are marks are layout in SSML: there an empty paragraph or sentence says the same.
_ELEMENTS = {"\n": "<p/>", "\u2028": "<s/>"}


@dataclass(frozen=True)
class ReadWord:
    """A word and how it is read.

    ``text`` is what was written, ``said`` what is read of it (numbers in Chinese characters). ``pinyin`` is its
    syllables with tone digits as they sound, ``wanr2`` where r-coloured, and ``units`` what the voice's acoustic
    model is given for it; a voice that reads characters has neither. ``ending`` is the break after it, from 0
    (it clings to the next word) over 1 (a word) and 2 (a phrase) to 3 (a comma) and 4 (a sentence). ``marks`` are the
    punctuation marks behind it; explicit silences are marks too, such as ``[pause:0.5s]``, and stand with a word
    without text where nothing is before them.
    """

    text: str
    pinyin: str = ""
    said: str = ""
    units: tuple[str, ...] = ()
    ending: int | None = None
    marks: str = ""


@dataclass(frozen=True)
class Reading:
    """How a text is read by ``voice``: its words in order."""

    voice: str
    words: tuple[ReadWord, ...]
    notices: tuple[Notice, ...] = ()

    @property
    def phonemes(self) -> str:
        """The pinyin of the whole text with its breaks and marks, such as ``jin1 tian1 #1 tian1 qi4。``.

        Empty for a voice that reads characters and not pinyin.
        """
        if not any(word.pinyin for word in self.words):
            return ""
        return " ".join(map(_written, self.words)).removesuffix(f" #{PHRASE}")

    @property
    def ssml(self) -> str:
        """A text that is read exactly so; empty for a voice that reads characters."""
        return as_ssml(self.words) if self.phonemes else ""


def parse_phonemes(phonemes: str) -> list[ReadWord]:
    """The words of pinyin as ``Reading.phonemes`` writes it: what stands between two breaks or marks is one.

    Raises:
        InvalidRequest: something in it is no pinyin.
    """
    words: list[ReadWord] = []
    syllables: list[str] = []

    def finish(ending: int | None = None) -> None:
        if syllables:
            words.append(ReadWord(" ".join(syllables), " ".join(syllables), ending=ending))
            syllables.clear()

    at = 0
    while at < len(phonemes):
        found = _TOKEN.match(phonemes, at)
        if found is None:
            raise InvalidRequest(
                f"phonemes have {phonemes[at : at + 12]!r} at character {at + 1}: write pinyin with tone digits, "
                "breaks #0 to #2 and punctuation, such as 'jin1 tian1 #1 tian1 qi4。'"
            )
        at = found.end()
        if found["pinyin"]:
            syllables.append(found["pinyin"])
        elif found["ending"]:
            finish(int(found["ending"]))
        elif found["mark"]:
            finish()
            last = words.pop() if words else ReadWord("")
            words.append(ReadWord(last.text, last.pinyin, ending=last.ending, marks=last.marks + found["mark"]))
    finish()
    if not any(word.pinyin for word in words):
        raise InvalidRequest("phonemes have no syllable: write pinyin with tone digits, such as 'ni3 hao3'")
    return words


def as_ssml(words: Iterable[ReadWord]) -> str:
    """SSML that has these words read as their pinyin says. A word without pinyin is read as its text."""
    return f"<speak>{''.join(part for word in words for part in _elements(word))}</speak>"


def reading(request: Request) -> Plan[Reading]:
    """Ask for the blocks of a request's text, and then how each is read."""
    inputs = {"TEXT": request.text, "VOICE": request.voice}
    if request.dictionary is not None:
        inputs["DICTIONARY"] = json.dumps(dict(request.dictionary), ensure_ascii=False)
    blocks = yield Call("front_end", "plan", {name: value for name, value in inputs.items() if value is not None})
    words: list[ReadWord] = []
    notices: list[Notice] = []
    speaker = ""
    try:
        for block in blocks:
            about = json.loads(block)
            if "silence" in about:
                words.append(ReadWord("", marks=f"[pause:{float(about['silence']):.9g}s]"))
                continue
            speaker = speaker or str(about["voice"])
            answer, *_ = yield Call("front_end", "reading", {"block": block})
            found = json.loads(answer)
            words += map(_word, found["words"])
            notices += (Notice(str(of["kind"]), str(of["text"]), str(of["message"])) for of in found["notices"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ProtocolError(
            f"how the text is read cannot be understood: check the server's version ({reason})"
        ) from None
    if not any(word.text for word in words):
        raise InvalidRequest(notices[-1].message if notices else "text has nothing to say: give some Chinese text")
    return Reading(speaker, tuple(words), tuple(notices))


def _word(about: dict[str, Any]) -> ReadWord:
    return ReadWord(
        text=str(about["text"]),
        pinyin=str(about["pinyin"]),
        said=str(about["said"]),
        units=tuple(map(str, about["units"])),
        ending=int(about["break"]),
        marks=str(about["marks"]),
    )


def _written(word: ReadWord) -> str:
    """A word in pinyin. A sentence that ends without a mark, in mid-text, goes on as after a phrase."""
    return f"{word.pinyin}{_ending(word)}{word.marks}"


def _ending(word: ReadWord) -> str:
    if not word.pinyin or word.ending is None or (word.marks and word.ending > PHRASE):
        return ""
    return f" #{min(word.ending, PHRASE)}"


def _elements(word: ReadWord) -> Iterator[str]:
    if word.pinyin:
        yield f"<phoneme ph={quoteattr(word.pinyin + _ending(word))}>{escape(word.text or word.pinyin)}</phoneme>"
    else:
        yield escape(word.text)
    for mark in word.marks:
        yield _ELEMENTS.get(mark, escape(mark))
