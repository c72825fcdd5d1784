"""What the model does with a request, without Triton: a plan of blocks, a block's tensors, or a whole text's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from block import Speech
from controls import ControlError, check, resolve
from mandarin import EMPTY, Frontend, Notice, TextError
from sentences import split_blocks
from units import Batch, Utterance, batch, unit_encoder
from voice_file import BrokenVoiceError, VoiceFile, VoiceShelf

DEFAULT_VOICE = "demo"
MAX_TEXT = 60_000


@dataclass(frozen=True)
class Ask:
    """A request as it came; `controls` has those that were given."""

    text: str
    voice: str = DEFAULT_VOICE
    speaker: str | None = None
    emotion: str | None = None
    controls: Mapping[str, float] = field(default_factory=dict)


class Speaking:
    """Knows the voices of a repository and the language.

    Its methods raise `UnknownVoiceError`, `BrokenVoiceError`, `TextError`, `ControlError` and `BlockError`.
    """

    def __init__(self, repository: Path) -> None:
        self._shelf = VoiceShelf(repository)
        self._frontend = Frontend()

    def voice(self, name: str) -> VoiceFile:
        """What is known of a voice."""
        return self._shelf.get(name)

    def plan(self, ask: Ask) -> list[str]:
        """The blocks of a request as JSON texts, without analysing any of them."""
        return [block.dump(self._shelf.get(block.voice)) for block in self._blocks(ask)]

    def block(self, text: str, style: Sequence[float] | None) -> Batch:
        """The tensors of one speech block; `style` is the vector that the voice's style stage answered."""
        speech = Speech.load(text)
        voice = self._shelf.get(speech.voice)
        utterances = self._utterances(speech, voice, _named(style, voice))
        return batch(utterances, unit_encoder(voice), voice)

    def whole(self, ask: Ask, *, unbounded: bool) -> Batch:
        """The tensors of a whole text, for an ensemble: no more clauses than fit unless `unbounded`."""
        voice = self._shelf.get(ask.voice)
        check(ask.controls)
        check_choice("speaker", ask.speaker, voice.speakers)
        check_choice("emotion", ask.emotion, voice.emotions)
        check_length(ask.text)
        speech = Speech(ask.text, ask.voice, ask.speaker, ask.emotion, len(ask.text), ask.controls)
        utterances = self._utterances(speech, voice, {})
        if not unbounded and len(utterances) > voice.max_clauses:
            raise ControlError(
                f"text has {len(utterances)} clauses, '{voice.name}' takes {voice.max_clauses} at once: "
                "send it to the model `tts`, which takes any number"
            )
        return batch(utterances, unit_encoder(voice), voice)

    def _blocks(self, ask: Ask) -> Iterator[Speech]:
        voice = self._shelf.get(ask.voice)
        check(ask.controls)
        check_choice("speaker", ask.speaker, voice.speakers)
        check_choice("emotion", ask.emotion, voice.emotions)
        check_length(ask.text)
        if not ask.text.strip():
            raise TextError(EMPTY)
        for text in split_blocks(ask.text):
            yield Speech(text, ask.voice, ask.speaker, ask.emotion, len(text), ask.controls)

    def _utterances(self, speech: Speech, voice: VoiceFile, style: Mapping[str, float]) -> list[Utterance]:
        controls, clamped = resolve(speech.asked, voice.limits, style=style, shift=speech.shift)
        encoder = unit_encoder(voice)
        analysis = self._frontend.analyze(speech.text, unit_count=encoder.count, max_units=voice.max_units)
        utterances = [Utterance(clause, controls) for clause in analysis.clauses]
        # What is to be told about the block is told with its first clause.
        notices: tuple[Notice, ...] = (*speech.notices, *clamped, *analysis.notices)
        return [replace(utterances[0], notices=notices), *utterances[1:]]


def check_length(text: str) -> None:
    """Raises `ControlError` for a text that is too long."""
    if len(text) > MAX_TEXT:
        raise ControlError(f"text has {len(text)} characters, the most is {MAX_TEXT}: send it in parts")


def check_choice(what: str, asked: str | None, known: tuple[str, ...]) -> None:
    """Raises `ControlError` for a speaker or emotion that the voice does not have."""
    if asked and asked not in known:
        choices = f"one of {', '.join(known)}" if known else "left out: this voice has only one"
        raise ControlError(f"{what} '{asked[:80]}' is not known; it must be {choices}")


def _named(style: Sequence[float] | None, voice: VoiceFile) -> dict[str, float]:
    """A style vector's elements by the controls that they are."""
    if style is None:
        return {}
    if len(style) != len(voice.style_controls) or any(value != value for value in style):
        raise BrokenVoiceError(
            f"the style stage of voice '{voice.name}' gave {len(style)} numbers that are not its controls "
            f"({', '.join(voice.style_controls) or 'none'}): export it again"
        )
    return dict(zip(voice.style_controls, map(float, style), strict=True))
