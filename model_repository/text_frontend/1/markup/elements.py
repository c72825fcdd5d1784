"""What each SSML element means; what is not honoured is read all the same, and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from controls import Shift
from mandarin import SAY_AS, parse_phonemes, say_as

from . import values
from .builder import Builder
from .script import PARAGRAPH_END, SENTENCE_END, Manner, MarkupError, Script

_ENDS = {"p": PARAGRAPH_END, "paragraph": PARAGRAPH_END, "s": SENTENCE_END, "sentence": SENTENCE_END}
_UNSPOKEN = frozenset(("metadata", "meta", "desc", "lexicon"))
_PINYIN = frozenset(("pinyin", "x-pinyin", "py", "sapi", "x-sapi", "x-amazon-pinyin"))
# Prosody attribute, control that it changes, how its value is read.
_PROSODY: dict[str, tuple[str, Callable[[str], float | None]]] = {
    "rate": ("speed", values.rate),
    "pitch": ("pitch", values.pitch),
    "range": ("contour", values.span),
    "volume": ("energy", values.volume),
}

_Value = TypeVar("_Value")


@dataclass
class _Frame:
    """An open element: what ends with it, and the manner around it."""

    tag: str
    manner: Manner
    ends: str = ""
    # For elements that may only hold text: the kind of reading and its value; `bits` is the text so far.
    kind: str = ""
    value: str = ""
    at: int = 0
    bits: list[str] = field(default_factory=list)


class Elements:
    """The elements of one document, in their order. `open` and `close` raise `MarkupError` without a place."""

    def __init__(self, manner: Manner) -> None:
        self._builder = Builder(manner, folding=True)
        self._frames: list[_Frame] = []
        self._unspoken = 0
        self._meanings: dict[str, Callable[[_Frame, dict[str, str]], None]] = {
            "speak": self._speak,
            "p": self._division,
            "paragraph": self._division,
            "s": self._division,
            "sentence": self._division,
            "break": self._break,
            "mark": self._mark,
            "sub": self._sub,
            "say-as": self._say_as,
            "phoneme": self._phoneme,
            "prosody": self._prosody,
            "voice": self._voice,
            "emotion": self._emotion,
            "express-as": self._emotion,
        }

    def open(self, name: str, attributes: dict[str, str], at: int) -> None:
        """An element starts at the character `at`."""
        self._builder.end_stretch()
        tag = name.rpartition(":")[2]
        if self._frames and self._frames[-1].kind:
            raise MarkupError(f"<{name[:40]}> cannot stand inside <{self._frames[-1].tag}>, which may only hold text")
        self._frames.append(_Frame(tag, self._builder.manner, at=at))
        if self._unspoken or tag in _UNSPOKEN:
            self._unspoken += 1
            self._builder.tell(f"<{tag}>", f"<{tag}> is not spoken: it was left out.")
            return
        meaning = self._meanings.get(tag)
        if meaning is None or (tag == "speak" and len(self._frames) > 1):
            self._builder.tell(f"<{tag}>", f"<{tag[:40]}> is not honoured: its text is read as if it were not there.")
            return
        left = dict(attributes)
        meaning(self._frames[-1], left)
        for attribute in left:
            if not attribute.startswith("xmlns"):
                self._builder.tell(
                    f"<{tag} {attribute}>", f"the attribute {attribute[:40]} of <{tag}> is not honoured."
                )

    def close(self, at: int) -> None:
        """The innermost element ends at the character `at`."""
        self._builder.end_stretch()
        frame = self._frames.pop()
        if self._unspoken:
            self._unspoken -= 1
            return
        if frame.kind:
            self._given(frame)
        if frame.ends:
            self._builder.end_sentence(at, frame.ends)
        self._builder.manner = frame.manner

    def data(self, text: str, at: int) -> None:
        """Text between the elements."""
        if self._unspoken:
            return
        if self._frames[-1].kind:
            self._frames[-1].bits.append(text)
        else:
            self._builder.data(text, at)

    def script(self, length: int) -> Script:
        """What the document says."""
        return self._builder.script(length)

    def _speak(self, frame: _Frame, attributes: dict[str, str]) -> None:
        for known in ("version", "xsi:schemaLocation"):
            attributes.pop(known, None)
        language = attributes.pop("xml:lang", "zh")
        if not language.lower().startswith(("zh", "cmn")):
            self._builder.tell(f"xml:lang {language}", f"the language '{language[:40]}' is read as Mandarin.")

    def _division(self, frame: _Frame, attributes: dict[str, str]) -> None:
        frame.ends = _ENDS[frame.tag]
        self._builder.end_sentence(frame.at, frame.ends)

    def _break(self, frame: _Frame, attributes: dict[str, str]) -> None:
        time, strength = attributes.pop("time", None), attributes.pop("strength", "medium")
        if time is not None:
            duration = _value("break", "time", time, values.seconds)
        elif strength in values.STRENGTHS:
            duration = values.STRENGTHS[strength]
        else:
            raise MarkupError(f"<break> strength '{strength[:40]}' must be one of {', '.join(values.STRENGTHS)}")
        self._builder.rest(duration, frame.at, f'<break time="{time}">')

    def _mark(self, frame: _Frame, attributes: dict[str, str]) -> None:
        self._builder.mark(_required(frame.tag, "name", attributes), frame.at)

    def _sub(self, frame: _Frame, attributes: dict[str, str]) -> None:
        frame.kind, frame.value = "text", _required(frame.tag, "alias", attributes)

    def _say_as(self, frame: _Frame, attributes: dict[str, str]) -> None:
        kind = _required(frame.tag, "interpret-as", attributes)
        form = attributes.pop("format", "")
        attributes.pop("detail", None)
        if kind in SAY_AS:
            frame.kind, frame.value = SAY_AS[kind], form
        else:
            known = ", ".join(sorted(set(SAY_AS.values())))
            self._builder.tell(f"interpret-as {kind}", f"interpret-as '{kind[:40]}' is not honoured; known: {known}.")

    def _phoneme(self, frame: _Frame, attributes: dict[str, str]) -> None:
        alphabet, sounds = attributes.pop("alphabet", "pinyin"), _required(frame.tag, "ph", attributes)
        if alphabet.lower() not in _PINYIN:
            self._builder.tell(f"alphabet {alphabet}", f"the alphabet '{alphabet[:40]}' is not honoured; write pinyin.")
        elif parse_phonemes(sounds) is None:
            raise MarkupError(
                f"<phoneme> ph '{sounds[:80]}' must be pinyin with tone digits 1 to 5 and blanks, like 'chong2 qing4', "
                "and at most a break behind them, #0 to #2"
            )
        else:
            frame.kind, frame.value = "pinyin", " ".join(sounds.split())

    def _prosody(self, frame: _Frame, attributes: dict[str, str]) -> None:
        change: dict[str, float] = {}
        for attribute, (control, read) in _PROSODY.items():
            text = attributes.pop(attribute, None)
            value = None if text is None else _value("prosody", attribute, text, read)
            if value is not None:
                change[control] = value
            elif text is not None:
                self._builder.tell(f"{attribute} {text}", f"<prosody> {attribute} '{text[:40]}' is not honoured.")
        self._builder.manner = replace(frame.manner, shift=frame.manner.shift.then(Shift(**change)))

    def _voice(self, frame: _Frame, attributes: dict[str, str]) -> None:
        name, speaker = attributes.pop("name", frame.manner.voice), attributes.pop("speaker", None)
        attributes.pop("xml:lang", None)
        changed = name != frame.manner.voice
        manner = replace(frame.manner, voice=name, speaker=speaker if changed or speaker else frame.manner.speaker)
        if manner != frame.manner:
            # Somebody else begins to speak: that is a sentence of its own.
            frame.ends = SENTENCE_END
            self._builder.end_sentence(frame.at)
        self._builder.manner = manner

    def _emotion(self, frame: _Frame, attributes: dict[str, str]) -> None:
        if frame.tag == "emotion":
            name, degree = "name" if "name" in attributes else "category", "intensity"
        else:
            name, degree = "style", "styledegree"
        emotion = _required(frame.tag, name, attributes)
        intensity = _value(frame.tag, degree, attributes.pop(degree, "1"), values.intensity)
        self._builder.manner = replace(frame.manner, emotion=emotion, intensity=intensity)

    def _given(self, frame: _Frame) -> None:
        """The text of an element that says how to read it."""
        text = " ".join("".join(frame.bits).split())
        if frame.kind == "text" and not text:
            self._builder.say(frame.value, frame.at)
        elif frame.kind == "pinyin":
            self._builder.say(text or frame.value, frame.at, frame.kind, frame.value)
        elif frame.kind != "text" and say_as(frame.kind, text, frame.value) is None:
            self._builder.tell(text, f"'{text[:40]}' cannot be read as {frame.kind}: it is read as it stands.")
            self._builder.say(text, frame.at)
        else:
            self._builder.say(text, frame.at, frame.kind, frame.value)


def _required(tag: str, attribute: str, attributes: dict[str, str]) -> str:
    value = attributes.pop(attribute, "").strip()
    if not value:
        raise MarkupError(f'<{tag}> needs the attribute {attribute}: write <{tag} {attribute}="…">')
    return value


def _value(tag: str, attribute: str, text: str, read: Callable[[str], _Value]) -> _Value:
    try:
        return read(text.strip())
    except ValueError as error:
        raise MarkupError(f"<{tag}> {attribute} '{text[:40]}' {error}") from error
