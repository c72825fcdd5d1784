"""Calls of other models: once more where one had to be brought back."""

from __future__ import annotations

import pytest
from calls import Caller
from errors import CancelledError, StageError, UnavailableError

DEAD = "Failed to process the request(s) for model 'zhi_lm_0_0', message: Stub process 'zhi_lm_0_0' is not healthy."
INNER = "designing failed: zhi_llasa: Stub process 'zhi_llasa_0_0' is not healthy."


class Server:
    """Answers each call with the next of `answers`; a text is an error."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.revived = []
        self.over = False
        self.witnessed = []

    def check(self):
        if self.over:
            raise CancelledError

    def caller(self):
        return Caller(self.infer, self.revive, lambda: 1.0, self.check, self)

    def died(self, model, through):
        self.witnessed.append(f"{model} died in {through}")

    def answered(self, model):
        self.witnessed.append(f"{model} answered")

    def revive(self, model, since, check):
        assert (since, check) == (1.0, self.check)
        self.revived.append(model)

    def infer(self, model, inputs, outputs):
        self.asked.append((model, inputs))
        answer = self.answers.pop(0)
        return ({}, answer) if isinstance(answer, str) else (answer, "")


def test_an_answer_is_given_on():
    assert Server({"x": 1}).caller()("m", {}, ("x",)) == {"x": 1}


def test_a_request_that_is_over_calls_nothing():
    server = Server()
    server.over = True
    with pytest.raises(CancelledError):
        server.caller()("m", {}, ())
    assert server.asked == []


@pytest.mark.parametrize(
    ("problem", "model"),
    [
        (DEAD, "zhi_lm"),
        ("Stub process 'demo_melgan_2_0_0' is not healthy.", "demo_melgan_2"),
        (INNER, "zhi_llasa"),
        ("designing failed: Model 'zhi_campplus' is not ready.", "zhi_campplus"),
        ("Request for unknown model: 'm' is not found", "m"),
        ("Failed to process the request(s) for model instance, message: Stub process is gone", "m"),
    ],
)
def test_the_model_that_died_is_the_one_that_is_brought_back(problem, model):
    server = Server(problem, {"x": 1})
    assert server.caller()("m", {}, ("x",)) == {"x": 1}
    assert server.revived == [model]


def test_a_model_is_brought_back_once_for_a_call():
    server = Server(DEAD, DEAD)
    with pytest.raises(StageError, match="not healthy"):
        server.caller()("m", {}, ())
    assert len(server.revived) == 1


@pytest.mark.parametrize("problem", ["Server not ready", "server is stopping: model 'm' is not ready"])
def test_on_a_server_that_stops_nothing_is_brought_back(problem):
    server = Server(problem)
    with pytest.raises(UnavailableError, match="try again"):
        server.caller()("m", {}, ())
    assert server.revived == []


def test_all_that_died_are_brought_back_one_by_one():
    server = Server(DEAD, INNER, {"x": 1})
    assert server.caller()("m", {}, ("x",)) == {"x": 1}
    assert server.revived == ["zhi_lm", "zhi_llasa"]


def test_what_is_dismissed_is_so_for_a_request_that_is_over_and_whatever_comes_of_it():
    server = Server(DEAD)
    server.over = True
    server.caller().dismiss("zhi_lm", {"key": 1}, ())
    assert server.asked == [("zhi_lm", {"key": 1})]
    assert server.revived == []


def test_it_is_told_who_was_found_dead_and_who_answers():
    server = Server(INNER, {"x": 1}, "no such shape")
    caller = server.caller()
    caller("zhi_vd", {}, ("x",))
    with pytest.raises(StageError):
        caller("aligner", {}, ("x",))
    assert server.witnessed == ["zhi_llasa died in zhi_vd", "zhi_vd answered"]
