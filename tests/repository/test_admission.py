"""Never more at once than the limit, first come first served, nothing lost and nothing run twice."""

from __future__ import annotations

import random
import sys
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from admission import WAIT_WINDOW_SECONDS, Admission
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Manual(Executor):
    """Keeps what is submitted; `begin` runs the oldest."""

    def __init__(self):
        self.submitted = []
        self.stopped = False

    def submit(self, function, /, *args, **kwargs):
        if self.stopped:
            raise RuntimeError("cannot schedule new futures after shutdown")
        self.submitted.append(function)
        return Future()


class Inline(Executor):
    """Runs what is submitted before it returns."""

    def submit(self, function, /, *args, **kwargs):
        function()
        return Future()


@dataclass(eq=False)
class Request:
    """A ticket that notes what happens to it."""

    arrived: float = 100.0
    deadline: float | None = None
    gone: bool = False
    fates: list = field(default_factory=list)
    work: object = None

    def cancelled(self):
        return self.gone

    def run(self):
        self.fates.append("run")
        if self.work is not None:
            self.work()

    def refuse(self, code, message):
        self.fates.append((code, message))

    @property
    def code(self):
        (fate,) = self.fates
        return fate[0]

    @property
    def message(self):
        (fate,) = self.fates
        return fate[1]


@dataclass
class Desk:
    """An admission on a manual pool and clock."""

    limit: int = 2
    waiting: int = 3

    def __post_init__(self):
        self.clock, self.pool = Clock(), Manual()
        self.admission = Admission(self.limit, self.waiting, self.pool, self.clock)

    def come(self, count=1, **values):
        made = [Request(arrived=self.clock.now, **values) for _ in range(count)]
        for request in made:
            self.admission.submit(request)
        return made

    def started(self):
        return [run.__self__ for run in self.pool.submitted]


def test_as_many_as_the_limit_start_at_once_and_the_others_wait_in_order():
    desk = Desk()
    requests = desk.come(5)
    assert desk.started() == requests[:2]
    for _ in range(3):
        desk.admission.finished(1.0)
    assert desk.started() == requests
    assert desk.admission.snapshot().in_flight == 2


def test_past_both_bounds_the_answer_is_immediate_and_says_when_to_come_again():
    desk = Desk()
    desk.come(5)
    (refused,) = desk.come()
    assert refused.code == "UNAVAILABLE"
    assert refused.message == "overloaded: 2 requests run and 3 wait; retry after 2 s"
    assert desk.admission.snapshot().waiting == 3


def test_the_time_to_come_again_follows_how_long_requests_last():
    desk = Desk()
    requests = desk.come(5)
    desk.admission.finished(10.0)
    desk.come()
    (refused,) = desk.come()
    assert "retry after 20 s" in refused.message
    for _ in range(30):
        desk.admission.finished(0.4)
        desk.come()
    (refused,) = desk.come()
    assert "retry after 1 s" in refused.message
    assert len(requests) == 5


def test_nobody_is_told_to_stay_away_for_hours():
    desk = Desk(limit=1)
    desk.come()
    desk.admission.finished(5000.0)
    desk.come(4)
    assert "retry after 60 s" in desk.come()[0].message


def test_no_room_to_wait_means_that_the_limit_is_the_bound():
    desk = Desk(limit=2, waiting=0)
    first, second, third = desk.come(3)
    assert desk.started() == [first, second]
    assert third.code == "UNAVAILABLE"


def test_a_request_that_cannot_start_before_its_deadline_is_refused_when_it_comes():
    desk = Desk(limit=1, waiting=8)
    desk.come()
    desk.admission.finished(4.0)
    desk.come(2)
    (late,) = desk.come(deadline=desk.clock.now + 7.9)
    assert late.code == "UNAVAILABLE"
    assert late.message.startswith(
        "overloaded: 1 requests run and 1 wait, this one could not start before its deadline"
    )
    (early,) = desk.come(deadline=desk.clock.now + 8.1)
    assert early.fates == []


def test_a_guess_refuses_nobody():
    desk = Desk(limit=1, waiting=8)
    desk.come(3)
    (request,) = desk.come(deadline=desk.clock.now + 0.5)
    assert request.fates == []


def test_a_request_that_is_late_already_never_runs():
    desk = Desk()
    (late,) = desk.come(deadline=desk.clock.now - 0.1)
    assert late.code == "DEADLINE_EXCEEDED"
    assert desk.started() == []
    assert desk.admission.snapshot().in_flight == 0


def test_a_deadline_that_passes_in_the_queue_ends_the_request_at_the_next_sweep():
    desk = Desk(limit=1)
    desk.come()
    (waiting,) = desk.come(deadline=desk.clock.now + 2)
    desk.clock.now += 1.9
    desk.admission.sweep()
    assert waiting.fates == []
    desk.clock.now += 0.2
    desk.admission.sweep()
    assert waiting.fates == [("DEADLINE_EXCEEDED", "the request's deadline passed after 2.1 s of waiting for its turn")]


def test_a_client_that_leaves_the_queue_makes_room_at_the_next_sweep_and_never_runs():
    desk = Desk(limit=1, waiting=1)
    desk.come()
    (leaving,) = desk.come()
    leaving.gone = True
    desk.admission.sweep()
    assert leaving.code == "CANCELLED"
    (next_one,) = desk.come()
    desk.admission.finished(1.0)
    assert desk.started()[1:] == [next_one]


def test_a_client_that_left_between_sweeps_never_runs_either():
    desk = Desk(limit=1)
    desk.come()
    leaving, staying = desk.come(2)
    leaving.gone = True
    desk.admission.finished(1.0)
    assert leaving.code == "CANCELLED"
    assert desk.started()[1:] == [staying]


def test_a_lower_limit_holds_from_the_next_start_on_and_a_higher_one_at_once():
    desk = Desk(limit=3)
    requests = desk.come(6)
    desk.admission.set_limit(1)
    desk.admission.finished(1.0)
    desk.admission.finished(1.0)
    assert len(desk.started()) == 3
    desk.admission.set_limit(3)
    assert desk.started() == requests[:5]
    with pytest.raises(ValueError, match="1 or more"):
        desk.admission.set_limit(0)


def test_closed_it_refuses_what_waits_and_what_comes_with_the_reason_and_open_it_works_again():
    desk = Desk(limit=1)
    running, waiting = desk.come(2)
    desk.admission.close("0.3 GB of host memory free", 7.2)
    (comes,) = desk.come()
    for request in (waiting, comes):
        assert request.fates == [("UNAVAILABLE", "overloaded: 0.3 GB of host memory free; retry after 8 s")]
    desk.admission.finished(1.0)
    assert desk.started() == [running]
    desk.admission.open()
    (after,) = desk.come()
    assert desk.started() == [running, after]


def test_a_pool_that_has_been_shut_down_refuses_and_keeps_no_place():
    desk = Desk()
    desk.pool.stopped = True
    (request,) = desk.come()
    assert request.code == "UNAVAILABLE"
    assert desk.admission.snapshot().in_flight == 0


def test_the_snapshot_tells_the_waits():
    desk = Desk(limit=1)
    desk.come(3)
    desk.clock.now += 3.0
    assert desk.admission.snapshot().oldest_wait == 3.0
    assert desk.admission.snapshot().mean_wait == 0.0
    desk.admission.finished(3.0)
    snapshot = desk.admission.snapshot()
    assert (snapshot.mean_wait, snapshot.mean_service) == (1.5, 3.0)
    desk.clock.now += WAIT_WINDOW_SECONDS + 0.1
    assert desk.admission.snapshot().mean_wait == 0.0


def test_an_end_without_a_start_is_a_defect():
    with pytest.raises(RuntimeError, match="twice"):
        Desk().admission.finished(1.0)


def test_a_ticket_that_raises_keeps_no_place_and_stops_nobody():
    desk = Desk(limit=1)

    class Broken(Request):
        def cancelled(self):
            raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        desk.admission.submit(Broken())
    (request,) = desk.come()
    assert desk.started() == [request]


def test_a_pool_that_runs_at_once_is_served_without_recursion():
    clock = Clock()
    admission = Admission(1, 5000, Inline(), clock)
    ended = []

    def end():
        ended.append(1)
        admission.finished(0.0)

    first = Request(work=lambda: (admission.submit_all(), end()))
    rest = [Request(work=end) for _ in range(3000)]
    admission.submit_all = lambda: [admission.submit(request) for request in rest]
    admission.submit(first)
    assert len(ended) == 3001


class Any(RuleBasedStateMachine):
    """Any order of events, against what must hold at each moment."""

    @initialize(limit=st.integers(1, 4), waiting=st.integers(0, 5))
    def start(self, limit, waiting):
        self.limit, self.bound = limit, waiting
        self.desk = Desk(limit, waiting)
        self.all, self.ended, self.lowest_allowed, self.closed = [], 0, limit, False

    @property
    def running(self):
        return len(self.desk.pool.submitted) - self.ended

    def in_queue(self):
        started = set(map(id, self.desk.started()))
        return [r for r in self.all if not r.fates and id(r) not in started]

    @rule(deadline=st.none() | st.floats(-1, 10), gone=st.booleans())
    def come(self, deadline, gone):
        before, running = len(self.in_queue()), self.running
        (request,) = self.desk.come(
            deadline=None if deadline is None else self.desk.clock.now + deadline, gone=gone and running >= self.limit
        )
        self.all.append(request)
        full = running >= self.limit and before - max(0, self.limit - running) >= self.bound
        if self.closed or full:
            assert request.code == "UNAVAILABLE"
        elif deadline is None and not request.gone:
            assert request.fates == []

    @precondition(lambda self: self.running)
    @rule(seconds=st.floats(0, 5))
    def end(self, seconds):
        self.ended += 1
        self.desk.admission.finished(seconds)

    @precondition(lambda self: self.in_queue())
    @rule(data=st.data())
    def leave(self, data):
        data.draw(st.sampled_from(self.in_queue())).gone = True

    @rule(seconds=st.floats(0, 5))
    def pass_time(self, seconds):
        self.desk.clock.now += seconds

    @rule()
    def sweep(self):
        self.desk.admission.sweep()
        for request in self.in_queue():
            assert not request.gone
            assert request.deadline is None or request.deadline > self.desk.clock.now

    @rule(limit=st.integers(1, 5))
    def change(self, limit):
        before = self.running
        self.limit = limit
        self.desk.admission.set_limit(limit)
        assert self.running <= max(before, limit)

    @rule()
    def close(self):
        self.closed = True
        self.desk.admission.close("memory is short")
        assert not self.in_queue()

    @rule()
    def reopen(self):
        self.closed = False
        self.desk.admission.open()

    @invariant()
    def nothing_is_lost_or_answered_twice(self):
        snapshot = self.desk.admission.snapshot()
        assert (snapshot.in_flight, snapshot.waiting) == (self.running, len(self.in_queue()))
        started = self.desk.started()
        assert len(set(map(id, started))) == len(started)
        for request in self.all:
            assert len(request.fates) + (request in started) <= 1

    @invariant()
    def who_came_first_starts_first_and_nobody_waits_beside_a_free_place(self):
        order = {id(request): number for number, request in enumerate(self.all)}
        numbers = [order[id(request)] for request in self.desk.started()]
        assert numbers == sorted(numbers)
        assert not self.in_queue() or self.running >= self.limit

    def teardown(self):
        if not hasattr(self, "desk"):
            return
        while self.running:
            self.end(0.1)
        started = self.desk.started()
        assert all(len(request.fates) + (request in started) == 1 for request in self.all)


TestAnyOrderOfEvents = Any.TestCase
TestAnyOrderOfEvents.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.fixture
def _restless():
    """Threads change places as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_restless")
@pytest.mark.parametrize("limit", [1, 3])
def test_whatever_the_interleaving_of_threads_the_limit_holds_and_each_request_ends_once(limit):
    lock, running, most = threading.Lock(), 0, 0
    handed = []

    class Noting(ThreadPoolExecutor):
        def submit(self, function, /, *args, **kwargs):
            handed.append(function.__self__)
            return super().submit(function, *args, **kwargs)

    with Noting(8) as pool:
        admission = Admission(limit, 10, pool, Clock())

        def work():
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            with lock:
                running -= 1
            admission.finished(0.0)

        requests = [[Request(work=work, gone=n % 7 == 3) for n in range(60)] for _ in range(16)]

        def client(mine, seed):
            chance = random.Random(seed)
            for request in mine:
                admission.submit(request)
                if chance.random() < 0.2:
                    admission.sweep()
                if chance.random() < 0.2:
                    request.gone = True

        threads = [threading.Thread(target=client, args=(mine, n)) for n, mine in enumerate(requests)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # What waits is started by the ends of what runs; the pool's own end waits for it.
        while admission.snapshot().in_flight:
            threading.Event().wait(0.001)
    assert most <= limit
    snapshot = admission.snapshot()
    assert (snapshot.in_flight, snapshot.waiting) == (0, 0)
    for mine in requests:
        order = {id(request): number for number, request in enumerate(mine)}
        numbers = [order[id(request)] for request in handed if id(request) in order]
        assert numbers == sorted(numbers), "first come, first served"
    flat = [request for mine in requests for request in mine]
    assert all(len(request.fates) == 1 for request in flat)
    assert {"run", "CANCELLED"} <= {request.fates[0] if request.fates[0] == "run" else request.code for request in flat}
