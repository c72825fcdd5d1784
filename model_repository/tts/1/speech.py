"""One request's way through the stages: planned, pipelined clause by clause, vocoded in chunks."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import sculpting
import styles
from chunks import ChunkSizes, Window, windows
from errors import RequestError, TextRefusedError
from events import Piece, Timeline
from pipeline import ahead, as_they_come, side_by_side
from request import DEFAULT_QUALITY, Request, choose_vocoder
from sculpting import SculptedPiece, Sculptor
from stages import Audio, Clause, Spectrogram, Stages

# Windows of a request that are vocoded at once.
WINDOWS = 2
# They and the clause that is made ahead; where it is made while it is vocoded, what makes it and waits for it, too.
THREADS = WINDOWS + 1 + sculpting.THREADS + 1


@dataclass(frozen=True)
class Policy:
    """What the service can afford: the sizes of the chunks and the qualities that it offers; and, when it cannot now
    afford more, the quality that replaces any other and the notice that says why.
    """

    chunks: ChunkSizes
    offered: tuple[str, ...]
    quality: str | None = None
    notice: dict[str, str] | None = None


@dataclass(frozen=True)
class _Silence:
    """An explicit break of the text."""

    seconds: float
    marks: list[str]
    characters: int


@dataclass(frozen=True)
class _Refused:
    """A block without anything to say."""

    characters: int
    notices: list[dict[str, str]]


@dataclass(frozen=True)
class _Spoken:
    """A clause that is ready for its vocoder; `characters` of the text are done with it, `notices` precede it."""

    clause: Clause
    mel: Spectrogram | SculptedPiece
    characters: int
    notices: list[dict[str, str]]


@dataclass(frozen=True)
class _Boundary:
    """Everything before plan block `block` is done: a part of the answer may end here."""

    block: int


Item = _Silence | _Refused | _Spoken | _Boundary


class Speech:
    """Speaks one request; iterate over `pieces`.

    `policy` is asked before each clause; `use` is told each block before its voice's models are called. Up to
    `THREADS` threads of `executor` are taken at a time.
    """

    def __init__(
        self,
        stages: Stages,
        request: Request,
        presets: dict[str, str],
        policy: Callable[[], Policy],
        use: Callable[[dict[str, Any]], None],
        executor: Executor,
    ) -> None:
        self._stages = stages
        self._request = request
        self._presets = presets
        self._policy = policy
        self._use = use
        self._executor = executor
        self._vectors: dict[str, tuple[Any, list[dict[str, str]]]] = {}
        self._sculptor = Sculptor(stages.models, request, presets, executor, batching=stages.batching)

    def pieces(self) -> Generator[Piece, None, None]:
        """The audio in order and without gaps, each piece as soon as it is there.

        Raises `FrontDoorError`s and whatever the stages raise.
        """
        request = self._request
        # A style's vector must be there before the clauses that it changes.
        alone = request.style is None and not request.start.block
        plan, clauses = self._stages.plan(request.text, request.options, clauses=alone)
        blocks = [json.loads(block) | {"json": block} for block in plan]
        voiced = [block for block in blocks if "voice" in block]
        if not voiced:
            raise RequestError("text has nothing to say: it holds breaks only; give some text between them")
        timeline = Timeline(voiced[0]["sample_rate"], len(request.text), request.start)
        heard = request.start.block > 0
        refusal: _Refused | None = None
        with closing(ahead(self._items(blocks, clauses), self._executor)) as items, closing(self._sculptor):
            for item in items:
                if isinstance(item, _Silence):
                    timeline.rest(item.seconds, item.marks, item.characters)
                elif isinstance(item, _Refused):
                    timeline.skip(item.notices, item.characters)
                    refusal = refusal or item
                elif isinstance(item, _Boundary):
                    if 0 < request.part_seconds <= timeline.seconds:
                        yield timeline.leave(item.block)
                        return
                else:
                    yield from self._speak(item, timeline, begins=not heard)
                    heard = True
        if not heard and refusal is not None:
            raise TextRefusedError(refusal.notices[0]["message"])
        yield from timeline.rest_of_it()

    def _items(self, blocks: list[dict[str, Any]], only: list[Clause] | None) -> Iterator[Item]:
        """What there is to speak, each clause up to its spectrogram; `only` are the clauses of a single block."""
        for at, block in enumerate(blocks[self._request.start.block :], start=self._request.start.block):
            if "voice" not in block:
                yield _Silence(float(block["silence"]), list(block.get("marks", ())), int(block["characters"]))
                continue
            self._use(block)
            prompt, style = None, None
            if block.get("generation"):
                prompt, notices = self._sculptor.prompt(block)
            else:
                style, notices = self._style(block)
            try:
                clauses = self._stages.clauses(block["json"], style) if only is None else only
            except TextRefusedError as error:
                # One paragraph without a sayable character must not end a book: it is reported with what follows.
                text = str(block.get("text", ""))[:40]
                yield _Refused(
                    int(block["characters"]), [{"kind": "skipped", "text": text, "message": str(error)}, *notices]
                )
                continue
            done = 0
            for i, clause in enumerate(clauses):
                characters = int(block["characters"]) * (i + 1) // len(clauses) - done
                done += characters
                if prompt is None:
                    mel: Spectrogram | SculptedPiece = self._stages.spectrogram(clause)
                else:
                    mel = self._sculptor.begin(clause, block, prompt, (at, i), self._policy().chunks)
                yield _Spoken(clause, mel, characters, notices)
                notices = []
            if at + 1 < len(blocks):
                yield _Boundary(at + 1)

    def _style(self, block: dict[str, Any]) -> tuple[Any, list[dict[str, str]]]:
        """The style vector for a block's voice, or None, and what to tell about it."""
        asked, voice = self._request.style, block["voice"]
        told = [styles.undesigned(self._request.attributes, voice)] if self._request.attributes else []
        if asked is None:
            return None, told
        if voice not in self._vectors:
            if not block["style"]:
                self._vectors[voice] = None, [*told, styles.unsupported(asked, voice)]
            else:
                text = styles.instruction(asked, self._presets)
                vector = self._stages.style(f"{voice}_{block['style']}", styles.code_points(text))
                controls = block.get("style_controls", ())
                notices = styles.check_understood(asked, self._presets, controls, vector.certainty, vector.conflict)
                self._vectors[voice] = vector.style, [*told, *notices]
        return self._vectors[voice]

    def _speak(self, item: _Spoken, timeline: Timeline, *, begins: bool) -> Iterator[Piece]:
        """Vocode a clause chunk by chunk."""
        clause, policy = item.clause, self._policy()
        about = clause.about
        asked = policy.quality or self._request.quality or DEFAULT_QUALITY
        quality, vocoder = choose_vocoder(asked, about["vocoders"], policy.offered)
        mel = item.mel
        timing = mel.timing
        notices = [*item.notices, *timing["notices"], *_replaced(self._request.quality, quality, policy)]
        timeline.begin(timing, notices, quality)
        lead, tail, bucket = (about[name] for name in ("frame_lead", "frame_tail", "frame_bucket"))
        steps = windows(mel.reach, policy.chunks, lead=lead, tail=tail, bucket=bucket, begins=begins)
        model = f"{about['voice']}_{vocoder}"
        calls = (partial(self._vocode, model, item, window) for window in steps)
        spoken = 0
        # Frames that are still being made must not keep those from being heard that were.
        run = side_by_side if mel.total is not None else as_they_come
        with closing(run(calls, self._executor, WINDOWS)) as vocoded, closing(mel):
            for window, audio in vocoded:
                spoken += window.keep
                # How long a growing clause is, and how much of its text is spoken, is known when it is whole.
                frames = mel.total
                last = spoken == frames
                if last and isinstance(mel, SculptedPiece):
                    timeline.complete(mel.ending(spoken), mel.notices)
                pcm = self._stages.pcm(audio, clause, last=last)
                yield timeline.add(pcm, item.characters * spoken // frames if frames else 0, last=last)
        timeline.end(item.characters, float(about["pause"]))

    def _vocode(self, model: str, item: _Spoken, window: Window) -> tuple[Window, Audio]:
        """A window and the samples of what it keeps."""
        hop = item.clause.about["hop_length"]
        audio = self._stages.audio(model, item.mel.cut(window))
        return window, audio[:, window.skip * hop : (window.skip + window.keep) * hop]


def _replaced(asked: str | None, answered: str, policy: Policy) -> list[dict[str, str]]:
    """Notices for what was done otherwise than asked."""
    notices = [policy.notice] if policy.notice else []
    if policy.quality is None and asked not in (None, answered):
        message = f"quality '{asked}' is not to be had of this voice here: '{answered}' answered"
        notices.append({"kind": "quality", "text": asked, "message": message})
    return notices
