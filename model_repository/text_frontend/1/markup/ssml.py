"""SSML through expat, with everything refused that makes XML dangerous: document types, entities, instructions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn
from xml.parsers import expat

from .elements import Elements
from .script import Manner, MarkupError, Script

MAX_DEPTH = 32
MAX_ELEMENTS = 5_000

_ADVICE = {
    expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]: "write & as &amp; and < as &lt;, attributes in quotes",
    expat.errors.codes[expat.errors.XML_ERROR_TAG_MISMATCH]: "close each element before the one around it",
    expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]: "only &amp; &lt; &gt; &quot; &apos; and &#…; exist",
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]: "close <speak> with </speak>",
    expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]: "end the text with </speak>",
    expat.errors.codes[expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE]: "write it once",
}


@dataclass
class _Offsets:
    """Places in bytes, which only grow, as places in characters."""

    data: bytes
    first: int
    byte: int = 0
    character: int = 0

    def at(self, byte: int) -> int:
        """The character of the request's text that starts at this byte of the document."""
        self.character += len(self.data[self.byte : byte].decode("utf-8"))
        self.byte = byte
        return self.first + self.character


class _Reader:
    """One document on its way through expat."""

    def __init__(self, text: str, start: int, manner: Manner) -> None:
        # Lone surrogates stay what they are, so that expat refuses them with their place.
        self._data = text[start:].encode("utf-8", "surrogatepass")
        self._offsets = _Offsets(self._data, start)
        self._before = text[:start]
        self._elements = Elements(manner)
        self._depth = self._count = 0
        self._length = len(text)

    def read(self) -> Script:
        """Parse it. Raises `MarkupError`."""
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = self._doctype
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartElementHandler = self._open
        parser.EndElementHandler = self._close
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(self._data, True)
        except expat.ExpatError as error:
            advice = f": {_ADVICE[error.code]}" if error.code in _ADVICE else ""
            self._refuse(f"{expat.ErrorString(error.code)}{advice}", error.lineno, error.offset)
        return self._elements.script(self._length)

    def _doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        self._refuse("a document type is not allowed: leave <!DOCTYPE …> out")

    def _instruction(self, target: str, data: str) -> None:
        self._refuse(f"a processing instruction is not allowed: leave <?{target[:40]} …?> out")

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"elements are nested deeper than {MAX_DEPTH}: nest them less")
        if self._count > MAX_ELEMENTS:
            self._refuse(f"there are more than {MAX_ELEMENTS} elements: send the text in parts")
        try:
            self._elements.open(name, attributes, self._place())
        except MarkupError as error:
            self._refuse(str(error))

    def _close(self, name: str) -> None:
        self._depth -= 1
        try:
            self._elements.close(self._place())
        except MarkupError as error:
            self._refuse(str(error))

    def _characters(self, data: str) -> None:
        self._elements.data(data, self._place())

    def _place(self) -> int:
        return self._offsets.at(self._parser.CurrentByteIndex)

    def _refuse(self, message: str, line: int = 0, column: int = -1) -> NoReturn:
        """Lines and columns count from 1, in the request's own text."""
        line = line or self._parser.CurrentLineNumber
        column = self._parser.CurrentColumnNumber if column < 0 else column
        if line == 1:
            column += len(self._before) - self._before.rfind("\n") - 1
        line += self._before.count("\n")
        # The message quotes the text, in which a reference may stand for a line end.
        raise MarkupError(f"SSML line {line}, column {column + 1}: {' '.join(message.split())}")


def read_ssml(text: str, start: int, manner: Manner) -> Script:
    """The script of a text that is SSML from the character `start` on. Raises `MarkupError`."""
    return _Reader(text, start, manner).read()
