"""Past its bounds the service refuses at once, and what it has taken it answers."""

from __future__ import annotations

import queue
import re
import statistics
import time
from collections import Counter

import pytest
import tritonclient.grpc as grpcclient
from own_server import Copy, eventually, front_door
from triton_calls import tensor

from client import ServiceUnavailable

RUN, WAIT = 2, 3


@pytest.fixture(scope="module")
def front(repository, tmp_path_factory):
    """A front door that runs two requests and lets three wait."""
    copy = Copy(repository, tmp_path_factory.mktemp("overload"))
    copy.configure({"max_in_flight": RUN, "max_waiting": WAIT, "queue_wait_seconds": 0})
    with front_door(copy) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_retries(monkeypatch):
    """The client would hide a refusal by trying again."""
    monkeypatch.setattr("client._retry.ATTEMPTS", 1)


@pytest.fixture
def counted(front):
    """What has been counted since the test began: `counted(metric, **labels)`, or a model's inferences."""
    marks = {}

    def value(name, labels):
        return front.metric(name, **labels) if name.startswith("tts_") else front.inferences(name)

    def read(name, **labels):
        return value(name, labels) - marks.get((name, *labels.values()), 0)

    marks["demo_encoder",] = front.inferences("demo_encoder")
    marks["text_frontend",] = front.inferences("text_frontend")
    for reason in ("unavailable", "deadline_exceeded", "cancelled"):
        marks["tts_refused_total", reason] = front.metric("tts_refused_total", reason=reason)
    marks["tts_requests_total", "ok"] = front.metric("tts_requests_total", outcome="ok")
    return read


def fill(front, counted, waiting, word):
    """Hold `RUN` requests in flight and have `waiting` more wait; their answers."""
    answers = [front.speak(f"{word}{number}。") for number in "一二三四五"[: RUN + waiting]]
    eventually(lambda: counted("demo_encoder") == RUN, "as many requests run as may")
    eventually(lambda: front.metric("tts_waiting") == waiting, "the others wait")
    return answers


def test_a_full_house_refuses_within_a_tenth_of_a_second_and_answers_all_it_has_taken(front, counted):
    seconds = []
    with front.held():
        taken = fill(front, counted, WAIT, "等")
        for _ in range(20):
            begin = time.perf_counter()
            with pytest.raises(ServiceUnavailable) as refusal:
                front.synthesizer.synthesize("太多了。")
            seconds.append(time.perf_counter() - begin)
            assert re.search(r"overloaded: 2 requests run and 3 wait; retry after \d+ s$", str(refusal.value))
            assert refusal.value.retry_after >= 1
        assert counted("demo_encoder") == RUN, "nothing is worked on beyond the bound"
        assert counted("text_frontend") == RUN, "a refused request costs no stage anything"
    assert all(answer.result().samples.size for answer in taken)
    assert counted("demo_encoder") == RUN + WAIT
    eventually(lambda: counted("tts_refused_total", reason="unavailable") == 20, "each refusal is counted")
    eventually(lambda: front.metric("tts_in_flight") + front.metric("tts_waiting") == 0, "the house is empty again")
    median = statistics.median(seconds)
    print(f"refused after {median * 1000:.1f} ms (median of 20), {max(seconds) * 1000:.1f} ms at most")
    # The promise is 0.1 s; a test machine that is itself overloaded gets more.
    assert median < 0.5


def test_of_a_burst_each_request_is_answered_or_refused_and_only_the_answered_cost_anything(front, counted):
    def outcome(answer):
        try:
            return "ok" if answer.result().samples.size else "empty"
        except ServiceUnavailable as error:
            return re.sub(r"\d+", "N", str(error).rpartition("overloaded: ")[2])

    numbers = [f"{ten}{one}" for ten in ("二十", "三十", "四十", "五十") for one in "一二三四五六七八九"]
    outcomes = Counter(map(outcome, [front.speak(f"第{number}个。") for number in numbers]))
    assert set(outcomes) <= {"ok", "N requests run and N wait; retry after N s"}
    assert outcomes["ok"] >= RUN + WAIT
    assert sum(outcomes.values()) == len(numbers)
    assert counted("demo_encoder") == outcomes["ok"]
    refused = len(numbers) - outcomes["ok"]
    eventually(lambda: counted("tts_requests_total", outcome="ok") == outcomes["ok"], "each answer is counted")
    eventually(lambda: counted("tts_refused_total", reason="unavailable") == refused, "each refusal is counted")


class Raw:
    """A request by hand, of which the deadline reaches the server only and which can be left at any time."""

    def __init__(self, front, text, seconds=0.0):
        self.answers = queue.Queue()
        self.client = grpcclient.InferenceServerClient(front.server.address.grpc)
        self.client.start_stream(lambda result, error: self.answers.put(error or result))
        self.client.async_stream_infer("tts", [tensor("TEXT", text)], timeout=round(seconds * 1e6) or None)

    def leave(self):
        self.client.stop_stream(cancel_requests=True)
        self.client.close()


def test_a_request_whose_deadline_passes_while_it_waits_is_told_so_and_never_runs(front, counted):
    with front.held():
        taken = fill(front, counted, 0, "期")
        late = Raw(front, "来不及。", seconds=0.6)
        error = late.answers.get(timeout=30)
        assert "DEADLINE_EXCEEDED: the request's deadline passed after" in str(error)
        late.leave()
        eventually(lambda: counted("tts_refused_total", reason="deadline_exceeded") == 1, "the refusal is counted")
    assert all(answer.result().samples.size for answer in taken)
    assert counted("demo_encoder") == RUN


def test_a_client_that_leaves_the_queue_makes_room_and_its_request_never_runs(front, counted):
    with front.held():
        taken = fill(front, counted, WAIT - 1, "走")
        leaving = Raw(front, "我走了。")
        eventually(lambda: front.metric("tts_waiting") == WAIT, "the queue is full")
        with pytest.raises(ServiceUnavailable):
            front.synthesizer.synthesize("满了。")
        leaving.leave()
        eventually(lambda: counted("tts_refused_total", reason="cancelled") == 1, "the departure is noticed")
        taken.append(front.speak("我来了。"))
        eventually(lambda: front.metric("tts_waiting") == WAIT, "the place is taken")
    assert all(answer.result().samples.size for answer in taken)
    assert counted("demo_encoder") == RUN + WAIT
