"""Clauses whose mel is generated: a language model writes speech tokens, a flow makes frames of them, both at once.

Of a request, one piece is written at a time and one has its mel made at a time; the next piece is written while this
one is turned into frames and vocoded, and no piece is more than one ahead.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import closing
from typing import Any

import numpy as np
from chunks import ChunkSizes, needed
from design import Design, Prompt, ask, design
from errors import CancelledError, StageError
from flow import Flow
from generation import Generation, Ids, Writing, derived_seed
from growing import GrowingMel
from request import Request
from stages import Clause, Models

# Threads that pieces of one request are made on at a time.
THREADS = 2
# With how many seeds a language model may stop at once.
_TRIES = 2
# How many chunks the first call of the flow is for, after the one that first gives frames: more, where nobody waits.
_FIRST_HOP, _LATER_HOP = 1, 4


class Sculptor:
    """Makes the pieces of one request, in order, on threads of `executor`."""

    def __init__(
        self, models: Models, request: Request, presets: Mapping[str, str], executor: Executor, *, batching: bool
    ) -> None:
        self._models = models
        self._request = request
        self._presets = presets
        self._executor = executor
        self._batching = batching
        self._prompts: dict[tuple[str, Design], Prompt] = {}
        # The last two, of which the first may still be in the making.
        self._pieces: list[SculptedPiece] = []
        self._closed = False
        self._lock = threading.Lock()

    def prompt(self, block: Mapping[str, Any]) -> tuple[Prompt, list[dict[str, str]]]:
        """What a block's voice is prompted by, and what to tell about that. Raises as `design` and `ask` do."""
        request, voice = self._request, block["voice"]
        wanted, notices = design(block, request.style, self._presets, request.attributes, request.seed)
        if (voice, wanted) not in self._prompts:
            frames = Generation.parse(block["generation"], voice).frames_per_token
            self._prompts[voice, wanted] = ask(self._models, f"{voice}_{block['style']}", wanted, frames)
        return self._prompts[voice, wanted], notices

    def begin(
        self, clause: Clause, block: Mapping[str, Any], prompt: Prompt, place: tuple[int, int], sizes: ChunkSizes
    ) -> SculptedPiece:
        """Start to make a clause, once the one before it is written. `place` is that of the clause in its request.

        `sizes` are those of the windows that the mel is vocoded in. Raises `CancelledError` after `close`.
        """
        before = self._pieces[-1] if self._pieces else None
        if before is not None:
            before.written.wait()
        if len(self._pieces) > 1:
            self._pieces[-2].made.wait()
        about = clause.about
        voice, settings = about["voice"], Generation.parse(block["generation"], about["voice"])
        units: Ids = clause.units[0, : int(clause.unit_lengths[0, 0]), 0]
        hop = settings.chunk_tokens * (_FIRST_HOP if before is None else _LATER_HOP)
        flow = Flow(
            self._models,
            f"{voice}_{settings.flow}",
            settings,
            prompt,
            float(clause.speed[0, 0]),
            first=needed(sizes, about["frame_tail"], about["frame_bucket"]),
            hop=hop,
            bucket=about["frame_bucket"],
            batching=self._batching,
        )
        writing = Writing(self._models, f"{voice}_{settings.lm}", settings, prompt, units)
        seeds = [derived_seed(self._request.seed, *place, attempt) for attempt in range(_TRIES)]
        piece = SculptedPiece(clause, writing, flow, seeds, before, self._models)
        with self._lock:
            if self._closed:
                raise CancelledError
            self._executor.submit(piece.make)
            self._pieces = [*self._pieces[-1:], piece]
        return piece

    def close(self) -> None:
        """End what is in the making, and wait until it has ended."""
        with self._lock:
            self._closed = True
        for piece in self._pieces:
            piece.close()
        for piece in self._pieces:
            piece.made.wait()


class SculptedPiece(GrowingMel):
    """The mel of one clause. `written` is set when its tokens are, `made` when its frames are, or will never be."""

    def __init__(
        self,
        clause: Clause,
        writing: Writing,
        flow: Flow,
        seeds: list[int],
        before: SculptedPiece | None,
        models: Models,
    ) -> None:
        super().__init__(models.check)
        self._clause = clause
        self._writing = writing
        self._flow = flow
        self._seeds = seeds
        self._before = before
        self._closed = threading.Event()
        # What there is to tell when it is whole.
        self.notices: list[dict[str, str]] = []
        self.written = threading.Event()
        self.made = threading.Event()

    def make(self) -> None:
        """Make the mel; what goes wrong is told to those who wait for it."""
        try:
            self._finish(self._write())
        except BaseException as error:  # whoever waits must hear of it, whatever it is
            self.fail(error)
        finally:
            self._before = None
            self.written.set()
            self.made.set()

    def close(self) -> None:
        """Nobody needs any more of it: have the language model end at once."""
        super().close()
        self._closed.set()
        self._writing.end()

    @property
    def timing(self) -> dict[str, Any]:
        """What is told of the clause when it begins: when it ends and what is at its end is not known."""
        about = self._clause.about
        marks = [{"name": name, "time": 0.0} for name, unit in about["marks"] if unit == 0]
        return {name: about[name] for name in ("voice", "sample_rate", "hop_length", "text", "notices")} | {
            "marks": marks
        }

    def ending(self, frames: int) -> dict[str, Any]:
        """What is told of the clause of so many frames when it ends. When its words are heard nobody knows."""
        about = self._clause.about
        seconds = frames * about["hop_length"] / about["sample_rate"]
        marks = [{"name": name, "time": seconds} for name, unit in about["marks"] if unit > 0]
        return self.timing | {"frames": frames, "words": [], "marks": marks}

    def _write(self) -> Ids:
        """All codes; of those that are there for it, frames are made meanwhile."""
        for seed in self._seeds:
            codes = np.zeros(0, dtype=np.int32)
            end = ""
            self._check_wanted()
            with closing(self._writing.codes(seed, self._urgent)) as writing:
                for written in writing:
                    self._check_wanted()
                    codes = np.concatenate([codes, written.codes])
                    end = end or written.end
                    while codes.size >= self._flow.due and not end:
                        self._add(codes)
            # It may not stop before the least, and at it does who has nothing to say.
            if codes.size > self._writing.least or end == "length":
                if end == "length":
                    self.notices.append(self._cut_short())
                return codes
            if self.reached:
                break
        voice, text = self._clause.about["voice"], self._clause.about["text"][:40]
        raise StageError(
            f"the language model of voice '{voice}' stopped at once at '{text}': "
            "say it otherwise, or ask with another style or SEED"
        )

    def _urgent(self) -> bool:
        """Whether a listener waits for the first frames."""
        return not self.reached and self._before is None

    def _add(self, codes: Ids) -> None:
        self._await_turn()
        self.add(self._flow.more(codes))

    def _finish(self, codes: Ids) -> None:
        self.written.set()
        self._await_turn()
        self.add(self._flow.rest(codes))
        self.finish()

    def _await_turn(self) -> None:
        """The frames of the piece before come first: they are heard first."""
        if self._before is not None:
            self._before.made.wait()
            self._before = None
        self._check_wanted()

    def _check_wanted(self) -> None:
        if self._closed.is_set():
            raise CancelledError

    def _cut_short(self) -> dict[str, str]:
        text = self._clause.about["text"][:40]
        message = f"the language model did not end '{text}' by itself: it was cut off after {self._writing.most} tokens"
        return {"kind": "length", "text": text, "message": message}
