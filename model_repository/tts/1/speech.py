"""One request's way through the stages: planned, pipelined clause by clause, vocoded in chunks."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import styles
from chunks import ChunkSizes, cut, windows
from errors import RequestError, TextRefusedError
from events import Piece, Timeline
from pipeline import ahead, side_by_side
from request import DEFAULT_QUALITY, Request, choose_vocoder
from stages import Clause, Spectrogram, Stages

# Windows of a request that are vocoded at once.
WINDOWS = 2
# They and the clause that is made ahead.
THREADS = WINDOWS + 1


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
    spectrogram: Spectrogram
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

    def pieces(self) -> Generator[Piece, None, None]:
        """The audio in order and without gaps, each piece as soon as it is there.

        Raises `FrontDoorError`s and whatever the stages raise.
        """
        request = self._request
        blocks = [json.loads(block) | {"json": block} for block in self._stages.plan(request.text, request.options)]
        voiced = [block for block in blocks if "voice" in block]
        if not voiced:
            raise RequestError("text has nothing to say: it holds breaks only; give some text between them")
        timeline = Timeline(voiced[0]["sample_rate"], len(request.text), request.start)
        heard = request.start.block > 0
        refusal: _Refused | None = None
        with closing(ahead(self._items(blocks), self._executor)) as items:
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

    def _items(self, blocks: list[dict[str, Any]]) -> Iterator[Item]:
        """What there is to speak, each clause up to its spectrogram."""
        for at, block in enumerate(blocks[self._request.start.block :], start=self._request.start.block):
            if "voice" not in block:
                yield _Silence(float(block["silence"]), list(block.get("marks", ())), int(block["characters"]))
                continue
            self._use(block)
            style, notices = self._style(block)
            try:
                clauses = self._stages.clauses(block["json"], style)
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
                yield _Spoken(clause, self._stages.spectrogram(clause), characters, notices)
                notices = []
            if at + 1 < len(blocks):
                yield _Boundary(at + 1)

    def _style(self, block: dict[str, Any]) -> tuple[Any, list[dict[str, str]]]:
        """The style vector for a block's voice, or None, and what to tell about it."""
        asked, voice = self._request.style, block["voice"]
        if asked is None:
            return None, []
        if voice not in self._vectors:
            if not block["style"]:
                self._vectors[voice] = None, [styles.unsupported(asked, voice)]
            else:
                text = styles.instruction(asked, self._presets)
                vector = self._stages.style(f"{voice}_{block['style']}", styles.code_points(text))
                controls = block.get("style_controls", ())
                notices = styles.check_understood(asked, self._presets, controls, vector.certainty, vector.conflict)
                self._vectors[voice] = vector.style, notices
        return self._vectors[voice]

    def _speak(self, item: _Spoken, timeline: Timeline, *, begins: bool) -> Iterator[Piece]:
        """Vocode a clause chunk by chunk."""
        clause, policy = item.clause, self._policy()
        about = clause.about
        asked = policy.quality or self._request.quality or DEFAULT_QUALITY
        quality, vocoder = choose_vocoder(asked, about["vocoders"], policy.offered)
        timing = item.spectrogram.timing
        notices = [*item.notices, *timing["notices"], *_replaced(self._request.quality, quality, policy)]
        timeline.begin(timing, notices, quality)
        hop = about["hop_length"]
        frames = item.spectrogram.frames
        lead, tail, bucket = (about[name] for name in ("frame_lead", "frame_tail", "frame_bucket"))
        steps = list(windows(frames, policy.chunks, lead=lead, tail=tail, bucket=bucket, begins=begins))
        model, mel = f"{about['voice']}_{vocoder}", item.spectrogram.mel
        calls = (partial(self._stages.audio, model, cut(mel, window)) for window in steps)
        spoken = 0
        with closing(side_by_side(calls, self._executor, WINDOWS)) as vocoded:
            for window, audio in zip(steps, vocoded, strict=True):
                audio = audio[:, window.skip * hop : (window.skip + window.keep) * hop]
                spoken += window.keep
                last = spoken == frames
                pcm = self._stages.pcm(audio, clause, last=last)
                yield timeline.add(pcm, item.characters * spoken // frames, last=last)
        timeline.end(item.characters, float(about["pause"]))


def _replaced(asked: str | None, answered: str, policy: Policy) -> list[dict[str, str]]:
    """Notices for what was done otherwise than asked."""
    notices = [policy.notice] if policy.notice else []
    if policy.quality is None and asked not in (None, answered):
        message = f"quality '{asked}' is not to be had of this voice here: '{answered}' answered"
        notices.append({"kind": "quality", "text": asked, "message": message})
    return notices
