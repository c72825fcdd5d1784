"""What requests do: they begin a generation under a key, ask for its codes, or give it up.

None of them waits: Triton 2.51 crashes where a model streams to another (decoupled model-to-model calls), so that a
caller asks again and again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from lm_generation import Bounds, Generation, RefusedError
from lm_scheduler import Scheduler
from lm_settings import Settings

_LONGEST_KEY = 200


@dataclass(frozen=True)
class Ask:
    """A request; what it left out is None. `prompt` are ids of the graph, of which there must be at least one."""

    key: str
    prompt: Sequence[int] | None = None
    seed: int | None = None
    least: int | None = None
    most: int | None = None
    every: int | None = None
    abort: int | None = None


class Desk:
    """Knows the generations by their keys. For one thread."""

    def __init__(self, scheduler: Scheduler, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._scheduler = scheduler
        self._settings = settings
        self._clock = clock
        self._known: dict[str, Generation] = {}

    def answer(self, ask: Ask) -> tuple[list[int], str]:
        """New codes, and why they are the last: "" while there may be more, "stop", "length" or "abort".

        Raises `RefusedError`.
        """
        self._forget()
        if not 0 < len(ask.key) <= _LONGEST_KEY:
            raise _wrong(f"key has {len(ask.key)} characters: give 1 to {_LONGEST_KEY}")
        if ask.abort is not None and ask.abort:
            return self._abort(ask.key)
        if ask.prompt is not None:
            return self._begin(ask, ask.prompt)
        return self._more(ask.key)

    def _begin(self, ask: Ask, prompt: Sequence[int]) -> tuple[list[int], str]:
        if ask.key in self._known:
            raise _wrong("key is that of a generation that has not ended: give each its own")
        settings = self._settings
        if not len(prompt):
            raise _wrong("prompt is empty: give the ids to go on from")
        if not 0 <= min(prompt) <= max(prompt) < settings.ids:
            raise _wrong(
                f"prompt has the id {min(prompt) if min(prompt) < 0 else max(prompt)}: 0 to {settings.ids - 1} exist"
            )
        first = settings.first_code
        generation = Generation(
            prompt=tuple(prompt),
            prompt_codes=tuple(number - first for number in prompt if first <= number < first + settings.codes),
            bounds=self._bounds(ask, settings.context - len(prompt)),
            # Seeds are signed, numpy's are not.
            rng=np.random.default_rng((ask.seed or 0) % (1 << 32)),
            asked=self._clock(),
        )
        self._scheduler.submit(generation)
        self._known[ask.key] = generation
        return [], ""

    def _bounds(self, ask: Ask, room: int) -> Bounds:
        """The bounds of a request; no more codes than there is `room` for."""
        if room < 1:
            raise _wrong(f"prompt has {self._settings.context - room} ids: {self._settings.context - 1} are possible")
        least, most, every = (
            default if value is None else value for value, default in ((ask.least, 0), (ask.most, room), (ask.every, 1))
        )
        if most < 1 or not 0 <= least <= most or every < 1:
            raise _wrong(
                f"at least {least} and at most {most} codes, every {every}: 0 <= least <= most, 1 <= most, every"
            )
        return Bounds(min(least, room), min(most, room), every)

    def _more(self, key: str) -> tuple[list[int], str]:
        generation = self._known.get(key)
        if generation is None:
            raise RefusedError(
                "NOT_FOUND", "no generation has this key: it ended, was dropped, or the model was reloaded"
            )
        generation.asked = self._clock()
        codes, end = generation.take()
        if end or generation.failure:
            del self._known[key]
        if generation.failure:
            raise RefusedError("INTERNAL", generation.failure)
        return codes, end

    def _abort(self, key: str) -> tuple[list[int], str]:
        generation = self._known.pop(key, None)
        if generation is not None:
            generation.abort()
        return [], "abort"

    def _forget(self) -> None:
        """Drop what nobody has asked for in a long time."""
        oldest = self._clock() - self._settings.patience_seconds
        for key in [key for key, generation in self._known.items() if generation.asked < oldest]:
            self._abort(key)


def _wrong(message: str) -> RefusedError:
    return RefusedError("INVALID_ARGUMENT", message)
