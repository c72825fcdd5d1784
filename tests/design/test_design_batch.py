"""Requests of one call are answered side by side, each by its own answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from design_batch import Answer, Ask, Desk
from design_chain import Prompt
from design_errors import FailedDesignError, RefusedDesignError

THREADS = 4


def ask(instruction: str, seed: int = 0) -> Ask:
    return Ask(instruction.encode(), b"{}", seed)


class Work:
    """Designs that are made when as many as `together` are being made at once."""

    def __init__(self) -> None:
        self.together = threading.Barrier(1)
        self.made: list[Ask] = []
        self.prompts: dict[Ask, Prompt] = {}

    def make(self, wanted: Ask) -> Prompt:
        self.made.append(wanted)
        self.together.wait(timeout=5)
        if wanted.instruction == b"refused":
            raise RefusedDesignError("it is\nno\x00 Chinese")
        if wanted.instruction == b"failed":
            raise FailedDesignError("too short")
        return self.prompts.setdefault(wanted, Prompt.empty())


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def desk(work: Work) -> Iterator[Desk]:
    desk = Desk(work.make, THREADS)
    yield desk
    desk.close()


def test_designs_are_made_at_the_same_time(desk: Desk, work: Work) -> None:
    work.together = threading.Barrier(THREADS)
    asks = [ask("声", seed) for seed in range(THREADS)]
    answers = desk.answer(asks)
    assert [answer.prompt for answer in answers] == [work.prompts[wanted] for wanted in asks]


def test_what_is_asked_twice_is_made_once(desk: Desk, work: Work) -> None:
    first, other, second = desk.answer([ask("声"), ask("声", 1), ask("声")])
    assert first is second is not other
    assert len(work.made) == 2


def test_a_refusal_is_a_problem_in_one_line(desk: Desk) -> None:
    (answer,) = desk.answer([ask("refused")])
    assert isinstance(answer, Answer)
    assert json.loads(answer.problem) == {"code": "INVALID_ARG", "message": "it is no\x00 Chinese"}
    assert not len(answer.prompt.speech_tokens)


def test_one_failure_is_not_anothers(desk: Desk) -> None:
    good, failed, refused = desk.answer([ask("声"), ask("failed"), ask("refused")])
    assert isinstance(good, Answer)
    assert not good.problem
    assert isinstance(failed, FailedDesignError)
    assert isinstance(refused, Answer)


def test_nothing_asked_is_nothing_answered(desk: Desk) -> None:
    assert desk.answer([]) == []
