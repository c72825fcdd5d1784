"""A voice is loaded once when it is first asked for, and never unloaded while it is used."""

from __future__ import annotations

import random
import sys
import threading
from contextlib import ExitStack

import pytest
from hypothesis import settings as bounds
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from installed import installed_voices
from model_control import ControlError, NotManaged, VoiceUnavailable
from pool import FAILURE_SECONDS, SHORT_IDLE_SECONDS, VERIFIED_SECONDS, VoicePool
from revival import REVIVED_SECONDS
from settings import Settings

STAGES = ("encoder", "decoder", "melgan")


class Server:
    """A model control: loading an ensemble loads its encoder, decoder and default vocoder."""

    def __init__(self):
        self.there = set()
        self.loads, self.unloads = [], []
        self.broken = {}
        self.managed = True
        self.gate = None
        self.lock = threading.Lock()

    def ready(self, model):
        return model in self.there

    def load(self, model):
        with self.lock:
            self.loads.append(model)
        if self.gate is not None:
            self.gate.wait(10)
        if not self.managed:
            raise NotManaged("explicit model load / unload is not allowed")
        if model in self.broken:
            raise ControlError(self.broken[model])
        self.there.add(model)
        if "_" not in model:
            self.there |= {f"{model}_{role}" for role in STAGES}

    def unload(self, model):
        with self.lock:
            self.unloads.append(model)
        if not self.managed:
            raise NotManaged("explicit model load / unload is not allowed")
        if model in self.broken:
            raise ControlError(self.broken[model])
        self.there.discard(model)


def stay():
    """The check of a client who waits for as long as it takes."""


class GoneError(Exception):
    """What a check raises when the client has left."""


class Notes:
    """What the pool reported."""

    def __init__(self):
        self.all = []

    def loaded(self, voice):
        self.all.append(("loaded", voice))

    def unloaded(self, voice, reason):
        self.all.append((reason, voice))

    def revived(self, model):
        self.all.append(("revived", model))


class House:
    """A pool with its server, clock and observer."""

    def __init__(self, **settings):
        self.server, self.notes, self.now = Server(), Notes(), 0.0
        self.pool = VoicePool(self.server, Settings(**settings), lambda: self.now, self.notes)

    def speak(self, voice, stages=STAGES):
        with self.pool.use(voice, stages, stay):
            pass

    def state(self, voice):
        (state,) = [state for state in self.pool.states() if state.voice == voice]
        return state


def test_the_first_use_loads_the_voice_and_the_next_finds_it():
    house = House()
    house.speak("anna")
    house.speak("anna")
    assert house.server.loads == ["anna"]
    assert house.notes.all == [("loaded", "anna")]
    assert house.state("anna").state == "ready"


def test_a_stage_that_the_ensemble_does_not_bring_is_loaded_too():
    house = House()
    house.speak("anna", (*STAGES, "hifigan"))
    assert house.server.loads == ["anna", "anna_hifigan"]
    assert house.state("anna").models == ("anna", *(f"anna_{role}" for role in STAGES), "anna_hifigan")


def test_a_voice_that_is_there_from_the_start_is_not_loaded():
    house = House()
    house.server.load("anna")
    house.speak("anna")
    assert house.server.loads == ["anna"]
    assert house.notes.all == []


def test_a_voice_that_others_unloaded_is_loaded_again():
    house = House()
    house.speak("anna")
    house.server.there.clear()
    house.now += VERIFIED_SECONDS + 0.1
    house.speak("anna")
    assert house.server.loads == ["anna", "anna"]


@pytest.fixture
def restless():
    """Threads change places as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(count, work):
    """Run `work(n)` in so many threads at once; the exceptions."""
    barrier, problems = threading.Barrier(count), []

    def run(n):
        barrier.wait(10)
        try:
            work(n)
        except Exception as error:  # whatever it is, the test looks at it
            problems.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return problems


@pytest.mark.usefixtures("restless")
def test_thirty_two_first_users_load_once():
    house = House()
    assert together(32, lambda n: house.speak("anna")) == []
    assert house.server.loads == ["anna"]
    assert house.state("anna").users == 0


@pytest.mark.usefixtures("restless")
def test_thirty_two_first_users_of_a_broken_voice_try_once_and_all_hear_why():
    house = House()
    house.server.broken["anna"] = "out of memory"
    problems = together(32, lambda n: house.speak("anna"))
    assert [str(problem) for problem in problems] == ["voice 'anna' cannot be loaded: out of memory"] * 32
    assert house.server.loads == ["anna"]


def test_a_voice_that_is_being_loaded_holds_up_no_other():
    house = House()
    house.server.gate = threading.Event()
    slow = threading.Thread(target=house.speak, args=("anna",))
    slow.start()
    while not house.server.loads:
        threading.Event().wait(0.001)
    gate, house.server.gate = house.server.gate, None
    house.speak("bert")
    assert house.state("anna").state == "loading"
    gate.set()
    slow.join(10)
    assert house.state("anna").state == "ready"


def test_a_broken_voice_is_tried_again_after_a_while():
    house = House()
    house.server.broken["anna"] = "no such file"
    for _ in range(2):
        with pytest.raises(VoiceUnavailable, match="voice 'anna' cannot be loaded: no such file"):
            house.speak("anna")
    assert house.server.loads == ["anna"]
    assert house.state("anna").state == "failed"
    house.server.broken.clear()
    house.now += FAILURE_SECONDS + 0.1
    house.speak("anna")
    assert house.state("anna").state == "ready"


def test_of_a_voice_that_cannot_be_loaded_nothing_stays_but_what_was_there_before():
    house = House()
    house.server.there.add("anna_encoder")
    house.server.broken["anna_hifigan"] = "corrupt"
    with pytest.raises(VoiceUnavailable, match="corrupt"):
        house.speak("anna", (*STAGES, "hifigan"))
    assert house.server.there == {"anna_encoder"}


def test_a_defect_of_the_control_is_told_and_leaves_the_voice_usable():
    house = House()
    house.server.load = lambda model: 1 / 0
    with pytest.raises(VoiceUnavailable, match="ZeroDivisionError"):
        house.speak("anna")
    with pytest.raises(VoiceUnavailable, match="ZeroDivisionError"):
        house.pool.revive("aligner", house.now, stay)
    del house.server.load
    house.now += FAILURE_SECONDS + 0.1
    house.speak("anna")
    assert house.state("anna").state == "ready"


def leave():
    raise GoneError


def test_who_leaves_while_a_voice_is_loaded_is_not_kept_and_the_voice_is_loaded_all_the_same():
    house = House()
    house.server.gate = threading.Event()
    with pytest.raises(GoneError), house.pool.use("anna", STAGES, leave):
        pass
    assert (house.state("anna").users, house.state("anna").state) == (0, "loading")
    house.server.gate.set()
    house.speak("anna")
    assert house.server.loads == ["anna"]


def test_who_leaves_while_a_model_is_revived_is_not_kept():
    house = House()
    house.server.gate = threading.Event()
    with pytest.raises(GoneError):
        house.pool.revive("aligner", house.now, leave)
    house.server.gate.set()
    house.pool.revive("aligner", house.now, stay)
    assert house.server.loads == ["aligner"]


def test_a_voice_that_was_loaded_at_the_start_goes_like_any_other_though_nobody_asked_for_it():
    house = House(idle_unload_seconds=10)
    house.server.load("anna")
    house.pool.adopt("anna", STAGES)
    house.pool.adopt("bert", STAGES)
    house.pool.tick(False)
    assert [(state.voice, state.state) for state in house.pool.states()] == [("anna", "ready"), ("bert", "absent")]
    house.now += 11
    house.pool.tick(False)
    house.pool.tick(False)
    assert house.server.there == set()
    assert house.notes.all == [("idle", "anna")]


def test_a_voice_that_is_used_before_it_was_looked_at_is_not_unloaded_meanwhile():
    house = House(idle_unload_seconds=10)
    house.pool.adopt("anna", STAGES)
    with house.pool.use("anna", STAGES, stay):
        house.now += 100
        house.pool.tick(True)
        assert "anna" in house.server.there
    house.speak("anna")
    assert house.server.loads == ["anna"]


def test_the_installed_voices_are_those_with_a_file_that_can_be_read(tmp_path):
    for name, content in {"anna": '{"stages": ["encoder", "melgan"]}', "bert": "{", "carl": "[]", "dora": "{}"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "voice.json").write_text(content, "utf-8")
    (tmp_path / "aligner").mkdir()
    assert installed_voices(tmp_path) == {"anna": ("encoder", "melgan")}


def test_a_server_that_loads_nothing_on_demand_answers_with_what_it_has():
    house = House(idle_unload_seconds=1)
    house.server.load("anna")
    house.server.managed = False
    house.speak("anna")
    with pytest.raises(VoiceUnavailable, match="voice 'bert' is not loaded and this server loads none on demand"):
        house.speak("bert")
    house.now += 100
    house.pool.tick(True)
    assert house.server.unloads == []
    assert house.notes.all == []


def test_a_server_that_refuses_to_unload_is_asked_once():
    house = House(idle_unload_seconds=1)
    house.server.load("anna")
    house.server.managed = False
    house.speak("anna")
    house.now += 100
    for _ in range(3):
        house.pool.tick(True)
    assert house.server.unloads == ["anna"]
    assert house.state("anna").state == "ready"


def test_a_voice_idle_past_the_limit_is_unloaded_whole():
    house = House(idle_unload_seconds=60)
    house.speak("anna", (*STAGES, "hifigan"))
    house.now += 59
    house.pool.tick(False)
    assert house.server.unloads == []
    house.now += 2
    house.pool.tick(False)
    assert house.server.there == set()
    assert house.server.unloads[0] == "anna"
    assert house.notes.all[-1] == ("idle", "anna")
    assert house.state("anna").state == "absent"


def test_without_an_idle_limit_a_voice_stays():
    house = House()
    house.speak("anna")
    house.now += 1e6
    house.pool.tick(False)
    assert house.server.unloads == []


def test_when_memory_is_short_the_least_recently_used_goes_first_and_one_at_a_time():
    house = House()
    for voice in ("anna", "bert", "carl"):
        house.speak(voice)
        house.now += 1
    house.speak("anna")
    house.now += SHORT_IDLE_SECONDS
    for gone in (["bert"], ["bert", "carl"], ["bert", "carl", "anna"], ["bert", "carl", "anna"]):
        house.pool.tick(True)
        assert [voice for reason, voice in house.notes.all if reason == "memory"] == gone


def test_short_memory_does_not_unload_what_was_used_a_moment_ago():
    house = House()
    house.speak("anna")
    house.now += SHORT_IDLE_SECONDS / 2
    house.pool.tick(True)
    assert house.server.unloads == []


def test_more_voices_than_may_be_loaded_go_down_to_as_many():
    house = House(max_loaded_voices=2)
    for voice in ("anna", "bert", "carl", "dora"):
        house.speak(voice)
        house.now += 1
    for _ in range(5):
        house.pool.tick(False)
    assert [voice for reason, voice in house.notes.all if reason == "count"] == ["anna", "bert"]


def test_a_voice_in_use_is_not_unloaded_for_any_reason():
    house = House(idle_unload_seconds=1, max_loaded_voices=1)
    house.speak("bert")
    with house.pool.use("anna", STAGES, stay), house.pool.use("anna", STAGES, stay):
        house.now += 1000
        for _ in range(3):
            house.pool.tick(True)
    assert [voice for _, voice in house.notes.all] == ["bert", "anna", "bert"]
    assert "anna" in house.server.there


def test_a_use_that_fails_is_over_all_the_same():
    house = House()
    with pytest.raises(KeyError), house.pool.use("anna", STAGES, stay):
        raise KeyError
    assert house.state("anna").users == 0


def test_a_model_that_cannot_be_unloaded_is_reported_and_the_voice_can_be_used_again():
    house = House(idle_unload_seconds=1)
    house.speak("anna")
    house.server.broken["anna_decoder"] = "busy"
    house.now += 2
    with pytest.raises(ControlError, match="busy"):
        house.pool.tick(False)
    house.server.broken.clear()
    house.speak("anna")
    assert house.state("anna").state == "ready"


def test_who_comes_while_a_voice_is_unloaded_waits_and_loads_it_again():
    house = House(idle_unload_seconds=1)
    house.speak("anna")
    house.now += 2
    entered, leave = threading.Event(), threading.Event()
    unload = house.server.unload

    def slow(model):
        entered.set()
        leave.wait(10)
        unload(model)

    house.server.unload = slow
    ticker = threading.Thread(target=house.pool.tick, args=(False,))
    ticker.start()
    entered.wait(10)
    user = threading.Thread(target=house.speak, args=("anna",))
    user.start()
    while house.state("anna").users == 0:
        threading.Event().wait(0.001)
    assert house.state("anna").state == "unloading"
    leave.set()
    ticker.join(10)
    user.join(10)
    assert house.server.loads == ["anna", "anna"]
    assert house.state("anna").state == "ready"


def test_a_dead_model_is_revived_once_for_all_who_met_it():
    house = House()
    house.speak("anna")
    house.server.gate = threading.Event()
    threading.Timer(0.1, house.server.gate.set).start()
    assert together(16, lambda n: house.pool.revive("anna_encoder", house.now, stay)) == []
    house.now += REVIVED_SECONDS / 2
    house.pool.revive("anna_encoder", house.now, stay)
    assert house.server.unloads == ["anna_encoder"]
    assert house.server.loads == ["anna", "anna_encoder"]
    assert house.notes.all[1:] == [("revived", "anna_encoder")]
    house.now += REVIVED_SECONDS
    house.pool.revive("anna_encoder", house.now, stay)
    assert house.server.unloads == ["anna_encoder"] * 2


def test_who_notices_late_that_a_model_was_dead_finds_it_revived():
    house = House()
    begin = house.now
    house.now += 1
    house.pool.revive("aligner", begin, stay)
    house.now += 10 * REVIVED_SECONDS
    house.pool.revive("aligner", begin, stay)
    assert house.server.loads == ["aligner"]
    house.pool.revive("aligner", house.now, stay)
    assert house.server.loads == ["aligner"] * 2


def test_a_model_that_cannot_be_revived_says_why():
    house = House()
    house.server.broken["aligner"] = "no module named numpy"
    for _ in range(2):
        with pytest.raises(VoiceUnavailable, match="aligner has stopped and cannot be restarted: no module"):
            house.pool.revive("aligner", house.now, stay)
    assert house.server.unloads == ["aligner"]
    house.server.managed = False
    with pytest.raises(VoiceUnavailable, match="restarts no model"):
        house.pool.revive("postprocess", house.now, stay)


def test_after_a_revival_the_voice_is_looked_at_again():
    house = House()
    house.speak("anna")
    house.pool.revive("anna_encoder", house.now, stay)
    house.server.there.discard("anna")
    house.speak("anna")
    assert house.server.loads[-1] == "anna"


class Any(RuleBasedStateMachine):
    """Any order of uses, ticks and failures, against what must hold at each moment."""

    voices = st.sampled_from(["anna", "bert", "carl"])

    @initialize(idle=st.sampled_from([0, 3]), most=st.integers(0, 2))
    def start(self, idle, most):
        self.house = House(idle_unload_seconds=idle, max_loaded_voices=most)
        self.most, self.idle = most, idle
        self.held = []

    @rule(voice=voices, extra=st.booleans())
    def enter(self, voice, extra):
        stack = ExitStack()
        try:
            stack.enter_context(self.house.pool.use(voice, (*STAGES, "hifigan") if extra else STAGES, stay))
        except VoiceUnavailable:
            assert voice in self.house.server.broken or self.house.state(voice).state == "failed"
        else:
            self.held.append((voice, stack))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def leave(self, data):
        _, stack = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        stack.close()

    @rule(seconds=st.floats(0, 6))
    def pass_time(self, seconds):
        self.house.now += seconds

    @rule(short=st.booleans())
    def tick(self, short):
        before = len(self.house.server.there & {"anna", "bert", "carl"})
        self.house.pool.tick(short)
        assert before - len(self.house.server.there & {"anna", "bert", "carl"}) <= 1

    @rule(voice=voices)
    def break_voice(self, voice):
        if voice not in self.house.server.there:
            self.house.server.broken[voice] = "broken"

    @rule(voice=voices)
    def repair(self, voice):
        self.house.server.broken.pop(voice, None)

    @invariant()
    def a_voice_in_use_is_loaded_and_counted(self):
        if not hasattr(self, "house"):
            return
        users = {state.voice: state.users for state in self.house.pool.states()}
        for voice in {voice for voice, _ in self.held}:
            assert {voice, *(f"{voice}_{role}" for role in STAGES)} <= self.house.server.there
        assert sum(users.values()) == len(self.held)

    def teardown(self):
        if hasattr(self, "house"):
            for _, stack in self.held:
                stack.close()
            self.house.now += 100
            for _ in range(4):
                self.house.pool.tick(True)
            assert self.house.server.there == set(), "nothing is left behind once nobody uses it"


TestAnyOrderOfEvents = Any.TestCase
TestAnyOrderOfEvents.settings = bounds(max_examples=100, stateful_step_count=30, deadline=None)


@pytest.mark.usefixtures("restless")
def test_whatever_the_interleaving_of_threads_a_voice_in_use_is_there():
    house = House(max_loaded_voices=1, idle_unload_seconds=0.001)
    stop, missing = threading.Event(), []

    def tick():
        while not stop.is_set():
            house.now += 0.01
            house.pool.tick(True)

    def user(n):
        chance = random.Random(n)
        for _ in range(60):
            voice = chance.choice(["anna", "bert", "carl"])
            with house.pool.use(voice, STAGES, stay):
                if not {voice, f"{voice}_encoder"} <= house.server.there:
                    missing.append(voice)

    ticker = threading.Thread(target=tick)
    ticker.start()
    problems = together(12, user)
    stop.set()
    ticker.join(10)
    assert (problems, missing) == ([], [])
    assert all(state.users == 0 for state in house.pool.states())
