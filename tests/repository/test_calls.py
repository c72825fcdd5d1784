"""Calls of other models: once more where one had to be brought back, streams ended when nobody reads on."""

from __future__ import annotations

import pytest
from calls import Caller
from errors import CancelledError, StageError, UnavailableError

DEAD = "Failed to process the request(s) for model 'zhi_lm_0_0', message: Stub process 'zhi_lm_0_0' is not healthy."
INNER = "designing failed: zhi_llasa: Stub process 'zhi_llasa_0_0' is not healthy."


class Server:
    """Answers each call with the next of `answers`; a stream is a list of responses, a text in it is an error."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.revived = []
        self.drained = []
        self.over = False

    def check(self):
        if self.over:
            raise CancelledError

    def caller(self):
        return Caller(self.infer, self.respond, self.revive, lambda: 1.0, self.check)

    def revive(self, model, since, check):
        assert (since, check) == (1.0, self.check)
        self.revived.append(model)

    def infer(self, model, inputs, outputs):
        self.asked.append((model, inputs))
        answer = self.answers.pop(0)
        return ({}, answer) if isinstance(answer, str) else (answer, "")

    def respond(self, model, inputs, outputs):
        self.asked.append((model, inputs))
        for answer in self.answers.pop(0):
            yield ({}, answer) if isinstance(answer, str) else (answer, "")
        self.drained.append(inputs)


def read(server):
    return list(server.caller().stream("zhi_lm", {"prompt": 1}, ("tokens",), {"key": 1}))


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


def test_a_stream_is_read_to_its_end():
    server = Server([{"n": 0}, {"n": 1}])
    assert [answer["n"] for answer in read(server)] == [0, 1]
    assert server.asked == [("zhi_lm", {"prompt": 1})], "what has ended is not ended once more"


def test_an_error_in_a_stream_is_the_streams():
    with pytest.raises(StageError, match="zhi_lm: prompt is too long"):
        read(Server([{"n": 0}, "prompt is too long"]))


def test_a_stream_that_dies_goes_on_where_it_was():
    server = Server([{"n": 0}, {"n": 1}, DEAD], [{"n": 0}, {"n": 1}, {"n": 2}])
    assert [answer["n"] for answer in read(server)] == [0, 1, 2]
    assert server.revived == ["zhi_lm"]


def test_a_stream_that_dies_again_is_an_error():
    with pytest.raises(StageError, match="not healthy"):
        read(Server([DEAD], [DEAD]))


@pytest.mark.parametrize("how", ["closed", "over"])
def test_a_stream_that_is_left_is_ended_and_read_out(how):
    server = Server([{"n": 0}, {"n": 1}, {"n": 2}], [])
    stream = server.caller().stream("zhi_lm", {"prompt": 1}, ("tokens",), {"key": 1})
    assert next(stream) == {"n": 0}
    if how == "closed":
        stream.close()
    else:
        server.over = True
        with pytest.raises(CancelledError):
            next(stream)
    assert server.asked[1:] == [("zhi_lm", {"key": 1})]
    assert server.drained == [{"key": 1}, {"prompt": 1}], "no stream of Triton's is left half read"


def test_all_that_died_are_brought_back_one_by_one():
    server = Server(DEAD, INNER, {"x": 1})
    assert server.caller()("m", {}, ("x",)) == {"x": 1}
    assert server.revived == ["zhi_lm", "zhi_llasa"]


def test_ending_what_cannot_be_ended_is_no_error():
    server = Server([DEAD])
    server.caller().end("zhi_lm", {"key": 1})
    assert server.revived == []
