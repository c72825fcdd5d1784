"""What the watch does about each thing that may go wrong, without a server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from server import stubs, watch
from server.control import ModelState
from server.errors import GaveUp, StartFailed
from server.frontdoor import UNSAYABLE, Answer, Health, judge
from server.pace import FREE, LONGEST, WINDOW, Pace
from server.stubs import Stub, model_of, parse
from server.unserved import unserved
from server.watch import Watch, WatchSettings

AUDIO = Answer(samples=100)
HUNG = Answer(status="DEADLINE_EXCEEDED", message="Deadline Exceeded", by_server=False)
OVERLOADED = Answer(status="UNAVAILABLE", message="overloaded: 4 requests run and 8 wait; retry after 3 s")
BROKEN = Answer(status="INTERNAL", message="first_melgan: no memory")


class World:
    """A server, its processes and its answers, as the watch sees them."""

    def __init__(self, repository: Path, voices: tuple[str, ...]) -> None:
        self.models = {name: ModelState(name, "READY") for name in ("tts", "postprocess", *voices)}
        for voice in voices:
            (repository / voice).mkdir()
            (repository / voice / "voice.json").touch()
            self.models[f"{voice}_melgan"] = ModelState(f"{voice}_melgan", "READY")
        self.stubs = {f"{name}_0_0": Stub(i, name, f"{name}_0_0", "") for i, name in enumerate(self.models)}
        self.answer: Callable[[str | None], Answer] = lambda voice: AUDIO
        self.spoken = 0
        self.door: Answer | None = None  # to a request that no voice is needed for; None for the usual refusal
        self.asked: list[tuple[str, str, str | None]] = []
        self.reloaded: list[str] = []
        self.restarts = 0
        self.failing = ""
        self.said: list[str] = []
        self.running = True
        self.pid, self.address, self.shm_prefix = 1, None, "-"
        self.options = SimpleNamespace(repository=repository)

    def restart(self) -> None:
        self.restarts += 1
        if self.failing:
            raise StartFailed(self.failing)
        self.running = True
        self.stubs |= {name: Stub(99, name.removesuffix("_0_0"), name, "") for name in self.stubs}

    def wait_ready(self) -> None:
        pass

    def hurry(self) -> None:
        self.running = False

    def check(self) -> None:
        raise StartFailed("it was ended by SIGKILL")

    def kill(self, instance: str) -> None:
        del self.stubs[instance]

    def reload(self, model: str, limit: float) -> None:
        self.reloaded.append(model)
        self.stubs[f"{model}_0_0"] = Stub(50, model, f"{model}_0_0", "")


@pytest.fixture
def make_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Watch, World]]:
    def make(*voices: str, attempts: int = 3) -> tuple[Watch, World]:
        world = World(tmp_path, voices)

        def ask(
            address: Any, text: str, voice: str | None, limit: float, look: Callable[[], None], model: str = "tts"
        ) -> Answer:
            if text == UNSAYABLE and world.door is None:
                return Answer(status="INVALID_ARGUMENT", message="text has nothing to say")
            world.asked.append((text, model, voice))
            return world.door if text == UNSAYABLE and world.door else world.answer(voice)

        control = SimpleNamespace(
            models=lambda: dict(world.models), spoken=lambda model: world.spoken, reload=world.reload
        )
        monkeypatch.setattr(watch, "ask", ask)
        monkeypatch.setattr(watch, "Control", lambda address: control)
        monkeypatch.setattr(watch.stubs, "living", lambda pid: dict(world.stubs))
        monkeypatch.setattr(watch.stubs, "lives", lambda stub: world.stubs.get(stub.instance) == stub)
        monkeypatch.setattr(Pace, "pause", lambda self, now: 0.0)
        settings = WatchSettings(interval=0.0, again=0.0, limit=0.1, mend_limit=0.1, attempts=attempts)
        server: Any = world
        return Watch(server, world.said.append, settings), world

    return make


def test_a_server_that_speaks_is_asked_in_turn_for_each_voice_and_left_alone(make_watch: Any) -> None:
    watching, world = make_watch("first", "second")
    for _ in range(4):
        watching.tick()
    assert [(model, voice) for _, model, voice in world.asked] == [("first", "first"), ("second", "second")] * 2
    assert len({text for text, *_ in world.asked}) == 4, "no cache may answer for a stage"
    assert (world.restarts, world.reloaded, world.said) == (0, [], [])


def test_no_voice_is_loaded_for_a_probe(make_watch: Any) -> None:
    watching, world = make_watch("first")
    world.models["first"] = ModelState("first", "UNAVAILABLE", "unloaded")
    world.door = Answer(status="INVALID_ARGUMENT", message="text has nothing to say")
    watching.tick()
    assert world.asked == [(UNSAYABLE, "tts", None)]
    assert world.said == []


@pytest.mark.parametrize("answer", [OVERLOADED, HUNG])
def test_load_is_no_reason_to_restart(make_watch: Any, answer: Answer) -> None:
    watching, world = make_watch("first")

    def busy(voice: str | None) -> Answer:
        world.spoken += 1  # others are answered meanwhile
        return answer

    world.answer = busy
    for _ in range(10):
        watching.tick()
    world.door = OVERLOADED
    for _ in range(10):
        watching.tick()
    assert [model for _, model, _ in world.asked] == ["first"] * 10 + ["tts"] * 10
    assert (world.restarts, world.said) == (0, [])


def test_a_server_in_which_nothing_moves_is_restarted_after_a_second_look(make_watch: Any) -> None:
    watching, world = make_watch("first")
    world.answer = lambda voice: HUNG
    watching.tick()
    assert world.restarts == 0
    watching.tick()
    assert world.restarts == 1
    assert len(world.said) == 1
    assert world.said[0].startswith("restarted the server in ")
    assert world.said[0].endswith("a short text was not spoken in time")


def test_the_router_may_mend_a_dead_stage_itself(make_watch: Any) -> None:
    watching, world = make_watch("first")
    world.kill("first_melgan_0_0")

    def revive(voice: str | None) -> Answer:
        world.stubs["first_melgan_0_0"] = Stub(60, "first_melgan", "first_melgan_0_0", "")
        return AUDIO

    world.answer = revive
    watching.tick()
    assert (world.restarts, world.reloaded) == (0, [])
    assert world.said[0].startswith("the process of first_melgan is gone: the router reloaded it in ")


def test_a_dead_stage_that_stays_dead_is_reloaded_after_a_second_request(make_watch: Any) -> None:
    watching, world = make_watch("first", "second")
    world.kill("second_melgan_0_0")
    world.answer = lambda voice: AUDIO if "second_melgan_0_0" in world.stubs else BROKEN
    watching.tick()
    assert [(model, voice) for _, model, voice in world.asked] == [("tts", "second")] * 3
    assert (world.restarts, world.reloaded) == (0, ["second_melgan"])
    assert world.said[0].startswith("the process of second_melgan is gone: reloaded it in ")
    watching.tick()
    assert len(world.said) == 1


def test_a_dead_stage_that_no_request_meets_is_reloaded_too(make_watch: Any) -> None:
    watching, world = make_watch("first")
    world.kill("first_melgan_0_0")
    watching.tick()
    assert world.reloaded == ["first_melgan"]


def test_a_model_that_was_unloaded_is_left_alone(make_watch: Any) -> None:
    watching, world = make_watch("first", "second")
    world.kill("first_melgan_0_0")
    world.models["first_melgan"] = ModelState("first_melgan", "UNLOADING")
    watching.tick()
    world.models["first_melgan"] = ModelState("first_melgan", "UNAVAILABLE", "unloaded")
    watching.tick()
    assert (world.restarts, world.reloaded, world.said) == (0, [], [])


@pytest.mark.parametrize("dead", ["front door", "server"])
def test_a_dead_front_door_or_server_is_restarted_at_once(make_watch: Any, dead: str) -> None:
    watching, world = make_watch("first")
    if dead == "server":
        world.running = False
    else:
        world.kill("tts_0_0")
    watching.tick()
    assert (world.restarts, len(world.said), world.asked) == (1, 1, [])


def test_requests_that_fail_have_the_model_that_they_name_reloaded_first(make_watch: Any) -> None:
    watching, world = make_watch("first")
    world.answer = lambda voice: AUDIO if world.reloaded else BROKEN
    watching.tick()
    assert world.reloaded == []
    watching.tick()
    assert (world.restarts, world.reloaded) == (0, ["first_melgan"])


def test_a_voice_that_does_not_speak_costs_the_others_no_restart(make_watch: Any) -> None:
    watching, world = make_watch("first", "second")
    world.answer = lambda voice: BROKEN if voice == "first" else AUDIO
    for _ in range(20):
        watching.tick()
    assert world.restarts == 0
    assert world.said == ["voice first does not speak, others do: first_melgan: no memory"]


def test_a_front_door_that_was_unloaded_by_hand_is_told_once(make_watch: Any) -> None:
    watching, world = make_watch("first")
    world.kill("tts_0_0")
    world.models["tts"] = ModelState("tts", "UNAVAILABLE", "unloaded")
    for _ in range(3):
        watching.tick()
    assert world.restarts == 0
    assert world.said == ["tts is not loaded (unloaded): load it, nothing speaks without"]


def test_restarts_that_fail_for_one_cause_are_given_up(make_watch: Any) -> None:
    watching, world = make_watch("first", attempts=3)
    world.running = False
    world.failing = "model tts failed to load: no memory"
    with pytest.raises(GaveUp, match="3 starts in a row failed, no more are tried: model tts failed to load: no mem"):
        watching.tick()
    assert world.restarts == 3


def test_restarts_that_keep_coming_are_spaced_out() -> None:
    pace = Pace()
    pauses = [pace.pause(float(second)) for second in range(10)]
    assert pauses[:FREE] == [0.0] * FREE
    assert pauses[FREE:] == sorted(pauses[FREE:])
    assert pauses[FREE] == 1.0
    assert pauses[-1] == LONGEST
    assert pace.pause(10 + WINDOW) == 0.0


def test_only_failures_of_one_cause_in_a_row_are_counted() -> None:
    pace = Pace()
    assert [pace.failed(cause) for cause in "aabbb"] == [1, 2, 1, 2, 3]
    pace.started()
    assert pace.failed("b") == 1


@pytest.mark.parametrize(
    ("answer", "health", "model"),
    [
        (AUDIO, Health.WELL, None),
        (Answer(), Health.ILL, None),
        (OVERLOADED, Health.FULL, None),
        (Answer(status="INVALID_ARGUMENT", message="text has nothing to say"), Health.WELL, None),
        (Answer(status="NOT_FOUND", message="no voice demo"), Health.WELL, None),
        (HUNG, Health.BUSY, None),
        (Answer(status="UNAVAILABLE", message="demo_melgan is restarting, try again"), Health.ILL, None),
        (Answer(status="UNAVAILABLE", message="Socket closed", by_server=False), Health.ILL, None),
        (
            Answer(status="INTERNAL", message="demo_melgan: Stub process 'demo_melgan_0_0' is not healthy."),
            Health.ILL,
            "demo_melgan",
        ),
        (Answer(status="INTERNAL", message="Stub process 'tts_0_0' is not healthy."), Health.ILL, "tts"),
    ],
)
def test_an_answer_tells_how_the_server_is(answer: Answer, health: Health, model: str | None) -> None:
    verdict = judge(answer, ("demo", "demo_melgan", "tts"))
    assert (verdict.health, verdict.model) == (health, model)


def test_an_error_names_the_longest_model_that_fits() -> None:
    models = ("demo", "demo_melgan", "demo_melgan_2")
    assert model_of("Stub process 'demo_melgan_2_0_0' is not healthy.", models) == "demo_melgan_2"
    assert model_of("demo: no", models) == "demo"
    assert model_of("no memory", models) is None


def test_a_stub_is_known_by_its_command_line() -> None:
    line = (
        "/b/python/triton_python_backend_stub /r/demo_melgan/1/model.onnx tts-1-a-7 9 9 5 /b/python 336 demo_melgan_0_1"
    )
    assert parse(7, [*line.split(), "/b/onnxruntime", ""]) == Stub(7, "demo_melgan", "demo_melgan_0_1", "tts-1-a-7")
    assert parse(7, ["/usr/bin/python3", "a", "b", "c"]) is None
    assert parse(7, [""]) is None


def test_memory_that_belongs_to_no_living_process_is_forgotten(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(stubs, "SHARED_MEMORY", tmp_path)
    long_ago = time.time() - 2 * stubs.ABANDONED_SECONDS
    for name in ("tts-1-living", "tts-1-abandoned", "tts-2-of-another-server"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (long_ago, long_ago))
    (tmp_path / "tts-1-starting").touch()
    stubs.forget_memory([Stub(7, "demo_melgan", "demo_melgan_0_1", "tts-1-living")], "tts-1-")
    assert {path.name for path in tmp_path.iterdir()} == {"tts-1-living", "tts-1-starting", "tts-2-of-another-server"}


def test_what_is_not_served_is_a_line_for_each_voice() -> None:
    states = {
        "tts": ModelState("tts", "READY"),
        "a": ModelState("a", ""),
        "a_melgan": ModelState(
            "a_melgan", "UNAVAILABLE", "Internal: TritonModelException: it is corrupt\n\nAt:\n  x.py"
        ),
    }
    log = (
        "[libprotobuf ERROR /t/text_format.cc:337] Error parsing text-format inference.ModelConfig: 3:14: no field.\n"
        "E1121 21:51:38.401613 11984 model_repository_manager.cc:1460] \"Poll failed for model directory 'b_decoder': "
        'failed to read text"\n'
    )
    states["c"] = ModelState("c", "READY")
    log += (
        "E1122 01:17:42.039766 25624 model_repository_manager.cc:724] \"failed to load model 'c_style': at least one "
        'version must be available"\n'
    )
    expected = ("tts", "a", "a_melgan", "b", "b_decoder", "c", "c_style", "aligner")
    assert unserved(expected, states, log, ("a", "b", "c")) == [
        "voice a is not served: model a_melgan: it is corrupt",
        "model aligner is not served: the log tells why",
        "voice b is not served: model b_decoder: its config is wrong: 3:14: no field.",
        "voice c is served without c_style: at least one version must be available",
    ]
