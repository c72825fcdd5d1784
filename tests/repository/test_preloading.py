"""Presets of designed voices are designed in the background, never in anybody's way."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress

import pytest
from errors import StageError
from pool import VoiceState
from preloading import Preloader
from sculpting_fakes import DESIGN, GENERATION, Voice

PRESETS = {"主播": "深夜电台的男主播", "教师": "幼儿园的女教师", "老人": "一位老人"}


def block(voice="zhi"):
    return {"voice": voice, "style": "style", "stages": ["style"], "generation": GENERATION, "design": DESIGN}


def out_of_memory(inputs):
    raise StageError("out of memory")


class Pool:
    """A pool of one loaded voice."""

    def __init__(self):
        self.state = "ready"
        self.users = 0

    def states(self):
        return [VoiceState("zhi", self.state, self.users, 0.0, ("zhi",))]

    @contextmanager
    def use(self, voice, stages, check):
        self.users += 1
        yield
        self.users -= 1


class Background:
    """A preloader and what it did."""

    def __init__(self, **changes):
        self.voice, self.pool = Voice(), Pool()
        self.designed, self.logged = [], []
        self.idle = threading.Event()
        self.preloader = Preloader(
            PRESETS,
            self.pool,
            self.voice.caller,
            self.idle.is_set,
            self.designed.append,
            self.logged.append,
        )

    @property
    def instructions(self):
        return [asked["instruction"].decode() for asked in self.voice.asked]

    def eventually(self, condition):
        until = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.fixture
def background():
    made = Background()
    yield made
    made.idle.set()
    with suppress(AttributeError):
        made.gate.set()
    made.preloader.close()


def test_the_presets_of_a_voice_are_designed_once_as_requests_ask_for_them(background):
    background.idle.set()
    background.preloader.add(block())
    background.preloader.add(block())
    background.eventually(lambda: len(background.designed) == len(PRESETS))
    assert background.instructions == list(PRESETS.values())
    assert {(asked["attributes"], asked["seed"]) for asked in background.voice.asked} == {(b"{}", 0)}
    assert background.designed == ["zhi"] * 3
    assert background.pool.users == 0


def test_nothing_is_designed_while_somebody_is_served(background):
    background.preloader.add(block())
    threading.Event().wait(0.3)
    assert background.instructions == []
    background.idle.set()
    background.eventually(lambda: len(background.designed) == len(PRESETS))


def test_a_request_that_comes_meanwhile_waits_for_one_design_at_most(background):
    style = background.voice._style

    def busy(inputs):
        assert background.pool.users == 1, "the voice is held"
        background.idle.clear()
        return style(inputs)

    background.voice._style = busy
    background.idle.set()
    background.preloader.add(block())
    background.eventually(lambda: background.designed)
    threading.Event().wait(0.3)
    assert len(background.instructions) == 1


def test_closing_waits_for_the_design_that_is_being_made_and_begins_no_more(background):
    begun, background.gate = threading.Event(), threading.Event()
    style = background.voice._style

    def slow(inputs):
        begun.set()
        background.gate.wait(5)
        return style(inputs)

    background.voice._style = slow
    background.idle.set()
    background.preloader.add(block())
    assert begun.wait(5)
    closing = threading.Thread(target=background.preloader.close)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    background.gate.set()
    closing.join(5)
    assert not closing.is_alive()
    assert len(background.instructions) == 1
    background.preloader.add(block("other"))


def test_closing_before_anything_was_asked_for_is_nothing(background):
    background.preloader.close()


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda made: setattr(made.pool, "state", "absent"), "it was unloaded"),
        (lambda made: setattr(made.voice, "_style", out_of_memory), "out of memory"),
    ],
)
def test_a_voice_that_cannot_be_designed_is_told_once_and_left_alone(background, break_it, reason):
    break_it(background)
    background.idle.set()
    background.preloader.add(block())
    background.eventually(lambda: background.logged)
    threading.Event().wait(0.1)
    (line,) = background.logged
    assert "'zhi'" in line
    assert reason in line
    assert background.designed == []
