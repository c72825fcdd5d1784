"""In-flight batching: every step computes one more code for all generations there are; they come and go between steps.

One thread computes; the others hand generations in and look at them. (Yu et al. 2022, Orca.)
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from lm_generation import Generation, RefusedError
from lm_graph import Cache, Floats, Graph
from lm_sampling import Sampler
from lm_settings import Settings

# Ids of the prompts that are computed at once: what attention needs grows with their number times their length.
_MOST_PROMPT_IDS = 2048


@dataclass
class Tally:
    """What was computed: `prompts` begun in `batches`, and `codes` or ends in `steps` (those that follow a prompt too).

    `rows` over `steps` is how many generations shared a step.
    """

    batches: int = 0
    prompts: int = 0
    steps: int = 0
    rows: int = 0
    codes: int = 0


class Scheduler:
    """Computes generations. `close` ends the thread, whatever it is at."""

    def __init__(
        self, graph: Graph, settings: Settings, sampler: Sampler, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._graph = graph
        self._settings = settings
        self._sampler = sampler
        self._clock = clock
        self._cache = Cache(settings)
        self._rows: list[Generation] = []
        self._waiting: deque[Generation] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._tally = Tally()
        self._thread = threading.Thread(target=self._work, name="language model", daemon=True)
        self._thread.start()

    def submit(self, generation: Generation) -> None:
        """Have a generation computed. Raises `RefusedError` where too many wait, or the model is being unloaded."""
        with self._changed:
            if self._closed:
                raise RefusedError("UNAVAILABLE", "the model is being unloaded: try again later")
            if len(self._waiting) >= max(1, self._settings.max_waiting):
                raise RefusedError("UNAVAILABLE", f"{len(self._waiting)} generations wait already: try again later")
            self._waiting.append(generation)
            self._changed.notify()

    def tally(self) -> Tally:
        """What was computed since the last time."""
        with self._changed:
            tally, self._tally = self._tally, Tally()
            return tally

    def close(self) -> None:
        """End after the step that is being computed; what is not complete fails."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while newcomers := self._admitted():
            try:
                self._advance([generation for generation in newcomers if generation is not None])
            except Exception as error:
                # Whatever the graph raises concerns all that it was computing, and nobody else.
                self._fail([*newcomers, *self._rows], f"the ONNX model failed: {' '.join(str(error).split())}")
        self._fail([*self._rows, *self._waiting], "the model was unloaded")

    def _admitted(self) -> list[Generation | None]:
        """Who begins in the next step, [None] where nobody does; an empty list when it is over. Waits for work."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._rows or self._closed)
            if self._closed:
                return []
            admitted: list[Generation | None] = []
            longest = 0
            while self._waiting and len(self._rows) + len(admitted) < self._settings.max_rows:
                longest = max(longest, len(self._waiting[0].prompt))
                if admitted and longest * (len(admitted) + 1) > _MOST_PROMPT_IDS:
                    break
                admitted.append(self._waiting.popleft())
            return admitted or [None]

    def _advance(self, newcomers: Sequence[Generation]) -> None:
        """Begin what is new, and compute one code more for everybody else."""
        self._leave()
        wanted = [generation for generation in newcomers if not self._gone(generation)]
        if self._rows:
            ids = [generation.codes[-1] + self._settings.first_code for generation in self._rows]
            logits, keys, values = self._graph.go_on(ids, self._cache)
            self._cache.extend(keys, values)
            self._draw(self._rows, logits)
        if wanted:
            logits, keys, values = self._graph.begin([generation.prompt for generation in wanted])
            self._cache.append(keys, values, [len(generation.prompt) for generation in wanted])
            self._rows += wanted
            self._draw(wanted, logits)
            self._count(Tally(batches=1, prompts=len(wanted)))
        self._leave()

    def _draw(self, rows: Sequence[Generation], logits: Floats) -> None:
        codes = self._settings.codes
        drawn = 0
        for generation, scores in zip(rows, logits, strict=True):
            if not np.isfinite(scores).all():
                generation.fail("the language model computed numbers that are not finite")
                continue
            ends = len(generation.codes) >= generation.bounds.least
            index = self._sampler.draw(scores, generation.codes, generation.prompt_codes, ends=ends, rng=generation.rng)
            generation.add(index if index < codes else None)
            drawn += index < codes
        self._count(Tally(steps=1, rows=len(rows), codes=drawn))

    def _leave(self) -> None:
        """Let go of the rows that are over, or that nobody wants any more; the others stay the first ones."""
        for row in reversed(range(len(self._rows))):
            generation = self._rows[row]
            if generation.over or self._gone(generation):
                self._cache.remove(row)
                self._rows[row] = self._rows[-1]
                self._rows.pop()

    def _gone(self, generation: Generation) -> bool:
        """Whether a generation is not wanted any more; it is then ended."""
        if generation.given_up or self._clock() - generation.asked > self._settings.patience_seconds:
            generation.ended()
            return True
        return False

    def _fail(self, generations: Sequence[Generation | None], reason: str) -> None:
        for generation in generations:
            if generation is not None:
                generation.fail(reason)
        self._rows = []
        self._cache = Cache(self._settings)

    def _count(self, more: Tally) -> None:
        with self._changed:
            for name, value in vars(more).items():
                setattr(self._tally, name, getattr(self._tally, name) + value)
