"""Requests that one call of the model holds, side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from design_chain import Prompt
from design_errors import RefusedDesignError


@dataclass(frozen=True)
class Ask:
    """The inputs of a request as they came."""

    instruction: bytes
    attributes: bytes
    seed: int


@dataclass(frozen=True)
class Answer:
    """A prompt, or the reason why there is none: `problem` is then JSON with `code` and `message`."""

    prompt: Prompt
    problem: str = ""


class Desk:
    """Answers batches of requests on threads: while one waits for a model, so may the next.

    In this way the language model has company in its batch.
    """

    def __init__(self, make: Callable[[Ask], Prompt], threads: int) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="design")

    def answer(self, asks: Sequence[Ask]) -> list[Answer | Exception]:
        """The answer, or what went wrong, for each request in order. What is asked twice is made once."""
        made = {ask: self._pool.submit(self._one, ask) for ask in dict.fromkeys(asks)}
        return [made[ask].result() for ask in asks]

    def close(self) -> None:
        """Let the designs that are being made end."""
        self._pool.shutdown()

    def _one(self, ask: Ask) -> Answer | Exception:
        try:
            return Answer(self._make(ask))
        except RefusedDesignError as refusal:
            # Messages quote the request, whatever it has: they are one line all the same.
            problem = {"code": refusal.code, "message": " ".join(str(refusal).split())}
            return Answer(Prompt.empty(), json.dumps(problem, ensure_ascii=False))
        except Exception as error:
            return error
