"""What the model does with a request, without Triton: a plan of blocks, a block's tensors, or a whole text's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from block import Block, Silence, Speech
from controls import ControlError, check, resolve
from dictionary import DictionaryFile, parse_dictionary
from mandarin import EMPTY, NOTHING, Frontend, Notice, SculptorUnits, TextError
from manners import check_choice, check_emotion, fitted
from markup import Manner, parse
from phonemes import describe
from plan import plan
from textual import as_text
from tokenizers_read import TokenizerShelf
from units import Batch, Break, Utterance, batch, unit_encoder
from voice_file import BrokenVoiceError, VoiceFile, VoiceShelf

DEFAULT_VOICE = "demo"
MAX_TEXT = 60_000


@dataclass(frozen=True)
class Ask:
    """A request as it came; `controls` has those that were given, `dictionary` is JSON."""

    text: str
    voice: str = DEFAULT_VOICE
    speaker: str | None = None
    emotion: str | None = None
    controls: Mapping[str, float] = field(default_factory=dict)
    dictionary: str = ""


class Speaking:
    """Knows the language, the voices of a repository and the dictionary of its server.

    Its methods raise `UnknownVoiceError`, `BrokenVoiceError`, `TextError`, `ControlError`, `MarkupError`,
    `DictionaryError`, `BlockError` and `SymbolError`, all with one line that says what to do.
    """

    def __init__(self, repository: Path, dictionary: Path | None = None) -> None:
        self._shelf = VoiceShelf(repository)
        self._tokenizers = TokenizerShelf(repository)
        self._dictionary = DictionaryFile(dictionary or repository / "text_frontend" / "dictionary.json")
        self._frontend = Frontend()

    def voice(self, name: str) -> VoiceFile:
        """What is known of a voice."""
        return self._shelf.get(name)

    def plan(self, ask: Ask) -> list[str]:
        """The blocks of a request as JSON texts, without analysing any of them."""
        return [
            block.dump() if isinstance(block, Silence) else block.dump(self.voice(block.manner.voice))
            for block in self._blocks(ask)
        ]

    def block(self, text: str, style: Sequence[float] | None) -> Batch:
        """The tensors of one speech block; `style` is the vector that the voice's style stage answered."""
        speech = Speech.load(text)
        voice = self.voice(speech.manner.voice)
        return batch(self._utterances(speech, voice, _named(style, voice)), voice)

    def reading(self, text: str) -> str:
        """How one speech block is read, as JSON: see `phonemes.describe`."""
        speech = Speech.load(text)
        voice = self.voice(speech.manner.voice)
        try:
            return describe(self._utterances(speech, voice, {}))
        except TextError as error:
            # Other blocks of the text may have something to say.
            return describe((), [Notice("skipped", speech.text[:40], str(error))])

    def whole(self, ask: Ask) -> Batch:
        """The tensors of a whole text, for an ensemble: one voice, and no more clauses than fit."""
        blocks = self._blocks(ask, size=len(ask.text))
        names = sorted({block.manner.voice for block in blocks if isinstance(block, Speech)})
        if len(names) > 1:
            raise ControlError(
                f"text has the voices {', '.join(names)}: send it to the model `tts`, which has them all"
            )
        voice = self.voice(names[0])
        utterances = self._spoken(blocks, voice)
        if len(utterances) > voice.max_clauses:
            raise ControlError(
                f"text has {len(utterances)} clauses, '{voice.name}' takes {voice.max_clauses} at once: "
                "send it to the model `tts`, which takes any number"
            )
        return batch(utterances, voice)

    def _blocks(self, ask: Ask, **sizes: int) -> list[Block]:
        """Parse the markup and the controls, once and for all blocks."""
        voice = self.voice(ask.voice)
        check(ask.controls)
        check_choice("speaker", ask.speaker, voice.speakers)
        check_emotion(ask.emotion, voice)
        if len(ask.text) > MAX_TEXT:
            raise ControlError(f"text has {len(ask.text)} characters, the most is {MAX_TEXT}: send it in parts")
        if not ask.text.strip():
            raise TextError(EMPTY)
        script = parse(ask.text, Manner(ask.voice, ask.speaker or None, ask.emotion or None))
        dictionary, broken = self._dictionary.get()
        if ask.dictionary.strip():
            dictionary = parse_dictionary(ask.dictionary).over(dictionary)
        blocks = plan(script, dictionary.spans, **sizes)
        speeches = [block for block in blocks if isinstance(block, Speech)]
        if not speeches:
            raise TextError(NOTHING)
        teller = next((block for block in speeches if block.worded), speeches[0])
        manners, told = self._manners(speeches)
        notices = (*broken, *script.notices, *told)
        out: list[Block] = []
        for block in blocks:
            if isinstance(block, Speech):
                told_here = notices if block is teller else ()
                block = replace(block, manner=manners[block.manner], asked=ask.controls, notices=told_here)
            out.append(block)
        return out

    def _manners(self, speeches: Sequence[Speech]) -> tuple[dict[Manner, Manner], list[Notice]]:
        """Each manner as its voice can do it, and what it cannot. Raises `UnknownVoiceError` or `ControlError`."""
        out: dict[Manner, Manner] = {}
        notices: list[Notice] = []
        for manner in dict.fromkeys(block.manner for block in speeches):
            out[manner], told = fitted(manner, self.voice(manner.voice))
            notices += told
        return out, notices

    def _spoken(self, blocks: Sequence[Block], voice: VoiceFile) -> list[Utterance]:
        """All clauses of a text; a part that has nothing to say is told with the rest, unless there is no rest."""
        utterances: list[Utterance] = []
        lead: Break | None = None
        told: list[Notice] = []
        refused: TextError | None = None
        for block in blocks:
            if isinstance(block, Silence):
                lead = (lead or Break()).then(block.seconds, block.marks)
                continue
            try:
                first, *rest = self._utterances(block, voice, {})
            except TextError as error:
                refused = refused or error
                told.append(Notice("skipped", block.text[:40], str(error)))
                continue
            utterances += [replace(first, lead=lead, notices=(*told, *first.notices)), *rest]
            lead, told = None, []
        if not utterances:
            raise refused or TextError(NOTHING)
        last = utterances[-1]
        utterances[-1] = replace(last, trail=lead, notices=(*last.notices, *told))
        return utterances

    def _utterances(self, speech: Speech, voice: VoiceFile, style: Mapping[str, float]) -> list[Utterance]:
        controls, clamped = resolve(speech.asked, voice.limits, style=style, shift=speech.manner.shift)
        encoder = unit_encoder(voice, speech.manner, self._tokenizers)
        analysis = self._frontend.analyze(
            speech.text,
            unit_count=encoder.count,
            max_units=voice.max_units,
            spans=speech.spans,
            places=speech.places,
        )
        if isinstance(encoder, SculptorUnits):
            analysis = as_text(analysis, encoder, speech, voice)
        utterances = [Utterance(clause, encoder.encode(clause), controls) for clause in analysis.clauses]
        # What is to be told about the block is told with its first clause.
        notices = (*speech.notices, *clamped, *analysis.notices)
        utterances[0] = replace(utterances[0], notices=notices, flows_in=speech.flows_in)
        utterances[-1] = replace(utterances[-1], flows_on=speech.flows_on)
        return utterances


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
