"""A script → blocks: whole sentences of one voice and manner, and the breaks between them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from block import Block, Silence, Speech
from mandarin import CLOSING, PAUSING, Place, Span, has_words, is_mute
from markup import Manner, Named, Pause, Said, Script
from sentences import BLOCK, split_blocks

# Stands for a character of a span when sentences are looked for: no sentence ends within a given reading.
_LETTER = "a"
_CLOSING = "".join(sorted(CLOSING))
_SILENT = CLOSING - PAUSING
FindSpans = Callable[[str, Sequence[Span]], list[Span]]


@dataclass
class _Run:
    """Text in one manner, in parts; `origins` are (offset in it, character of the request's text), in order."""

    manner: Manner
    parts: list[str] = field(default_factory=list)
    size: int = 0
    spans: list[Span] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    origins: list[tuple[int, int]] = field(default_factory=list)

    def add(self, item: Said, marks: Sequence[Named]) -> None:
        """One more piece of text, with marks before it."""
        self.places += [Place(named.name, self.size) for named in marks]
        self.origins.append((self.size, item.at))
        if item.kind:
            self.spans.append(Span(self.size, self.size + len(item.text), item.kind, item.value))
        self.parts.append(item.text)
        self.size += len(item.text)

    def append(self, other: _Run) -> None:
        """The other run's text behind this one's, in this one's manner."""
        self.spans += [replace(s, start=self.size + s.start, end=self.size + s.end) for s in other.spans]
        self.places += [Place(place.name, self.size + place.at) for place in other.places]
        self.origins += [(self.size + offset, at) for offset, at in other.origins]
        self.parts += other.parts
        self.size += other.size

    @property
    def wordless(self) -> bool:
        """Whether there is nothing that is surely said."""
        return not self.spans and not any(map(has_words, self.parts))

    def origin(self, offset: int) -> int:
        """The character of the request's text that stands at this offset."""
        index = bisect_right(self.origins, offset, key=lambda origin: origin[0]) - 1
        start, at = self.origins[index]
        # Within text of the request character by character, but never beyond what follows it.
        following = self.origins[index + 1][1] if index + 1 < len(self.origins) else at + offset - start
        return min(at + offset - start, following)


@dataclass
class _Rest:
    """An explicit break, and the marks at its start; or only the marks behind everything."""

    seconds: float
    at: int
    marks: list[str] = field(default_factory=list)
    last: bool = False


def plan(script: Script, find: FindSpans, *, size: int = BLOCK) -> list[Block]:
    """The blocks of a script; `find` gives the words of a dictionary in a text, around the spans that it has.

    A block of speech has up to `size` characters, or one sentence. Together the blocks have as many characters as the
    request's text. A script with nothing to say has no block of speech.
    """
    starts: list[int] = []
    blocks: list[Block] = []
    spoken = False
    units = _joined(_units(script))
    for before, unit, after in zip([None, *units], units, [*units[1:], None], strict=False):
        if isinstance(unit, _Rest):
            starts.append(unit.at)
            blocks.append(Silence(unit.seconds, tuple(unit.marks)))
            continue
        text = "".join(unit.parts)
        unit.spans = sorted([*unit.spans, *find(text, unit.spans)], key=lambda span: span.start)
        for start, end in _cuts(text, unit.spans, first=not spoken, size=size):
            starts.append(unit.origin(start))
            speech = _speech(unit, text, start, end)
            flows_in, flows_on = start == 0 and _flows(before, unit), end == len(text) and _flows(unit, after)
            blocks.append(replace(speech, flows_in=flows_in, flows_on=flows_on))
        spoken = True
    # What stands before the first block belongs to it.
    edges = [0, *starts[1:], script.length] if starts else []
    return [replace(block, characters=end - start) for block, (start, end) in zip(blocks, pairwise(edges), strict=True)]


def _units(script: Script) -> Iterator[_Run | _Rest]:
    """Runs as long as the manner stays, with breaks between them; marks with what follows them, or a break of 0 s."""
    run: _Run | None = None
    waiting: list[Named] = []
    for item in script.items:
        if isinstance(item, Named):
            waiting.append(item)
            continue
        if isinstance(item, Pause):
            if run:
                yield run
            yield _Rest(item.seconds, item.at, [named.name for named in waiting])
            run, waiting = None, []
            continue
        if run and run.manner != item.manner:
            # A full stop behind an element still belongs to the sentence in it.
            rest = item.text if item.kind else item.text.lstrip(_CLOSING)
            closing = len(item.text) - len(rest)
            if closing:
                run.add(replace(item, text=item.text[:closing]), waiting)
                item, waiting = replace(item, text=rest, at=item.at + closing), []
            if not rest:
                continue
            yield run
            run = None
        run = run or _Run(item.manner)
        run.add(item, waiting)
        waiting = []
    if run:
        yield run
    if waiting:
        yield _Rest(0.0, waiting[0].at, [named.name for named in waiting], last=True)


def _joined(units: Iterator[_Run | _Rest]) -> list[_Run | _Rest]:
    """Runs that have words: what has none goes with the text beside it, and what is then alike is one run.

    Between breaks punctuation is left out; what remains wordless there is a run that may turn out to say nothing.
    """
    out: list[_Run | _Rest] = []
    lone: _Run | None = None
    for unit in units:
        last = out[-1] if out else None
        if isinstance(unit, _Rest):
            out += _alone(lone)
            unit.marks[:0] = [place.name for place in lone.places] if lone else []
            lone = None
            out.append(unit)
        elif isinstance(last, _Run) and (unit.wordless or last.manner == unit.manner):
            last.append(unit)
        elif unit.wordless:
            lone = _appended(lone, unit)
        else:
            out.append(_appended(lone and replace(lone, manner=unit.manner), unit))
            lone = None
    if lone:
        out += _alone(lone)
        if lone.places:
            out.append(_Rest(0.0, lone.origin(lone.size), [place.name for place in lone.places], last=True))
    return out


def _alone(run: _Run | None) -> list[_Run | _Rest]:
    """A wordless run by itself, without its marks: those may not depend on whether it is spoken."""
    return [] if run is None or all(map(is_mute, run.parts)) else [replace(run, places=[])]


def _appended(before: _Run | None, run: _Run) -> _Run:
    if before is None:
        return run
    before.append(run)
    return before


def _flows(unit: _Run | _Rest | None, following: _Run | _Rest | None) -> bool:
    """Whether one goes on after the other without a pause of the voice's own: in mid-sentence, or beside a break."""
    if unit is None or following is None:
        return False
    if isinstance(unit, _Rest) or isinstance(following, _Rest):
        return not (isinstance(following, _Rest) and following.last)
    last = next((char for part in reversed(unit.parts) for char in reversed(part) if char not in _SILENT), "")
    return last not in PAUSING


def _cuts(text: str, spans: Sequence[Span], *, first: bool, size: int) -> Iterator[tuple[int, int]]:
    """Where the blocks of a run start and end."""
    at = 0
    masked = []
    for span in spans:
        masked += [text[at : span.start], _LETTER * (span.end - span.start)]
        at = span.end
    end = 0
    for block in split_blocks("".join([*masked, text[at:]]), first=first, size=size):
        start, end = end, end + len(block)
        yield start, end


def _speech(run: _Run, text: str, start: int, end: int) -> Speech:
    spans = run.spans[_first(run.spans, start) : _first(run.spans, end)]
    behind = len(run.places) if end == len(text) else bisect_left(run.places, end, key=lambda place: place.at)
    places = run.places[bisect_left(run.places, start, key=lambda place: place.at) : behind]
    return Speech(
        text[start:end],
        run.manner,
        tuple(replace(span, start=span.start - start, end=span.end - start) for span in spans),
        tuple(Place(place.name, place.at - start) for place in places),
    )


def _first(spans: Sequence[Span], at: int) -> int:
    """The index of the first span that does not start before `at`."""
    return bisect_left(spans, at, key=lambda span: span.start)
