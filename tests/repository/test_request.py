"""What the front door accepts."""

from __future__ import annotations

import numpy as np
import pytest
from errors import RequestError
from request import QUALITIES, Place, Request, check_quality, choose_vocoder


def read(parameters=None, **inputs):
    return Request.read({name: np.array([value], dtype=object) for name, value in inputs.items()}, parameters or {})


@pytest.mark.parametrize(
    ("asked", "have", "answered"),
    [
        ("high", {"high": "hifigan", "fast": "melgan"}, "high"),
        ("high", {"fast": "melgan"}, "fast"),
        ("balanced", {"high": "hifigan", "fast": "melgan"}, "fast"),
        ("fast", {"high": "hifigan", "balanced": "melgan"}, "balanced"),
    ],
)
def test_a_quality_falls_to_the_next_one_down_and_else_up(asked, have, answered):
    assert choose_vocoder(asked, have, QUALITIES) == (answered, have[answered])


@pytest.mark.parametrize(
    ("have", "answered"),
    [
        ({"high": "hifigan", "balanced": "melgan", "fast": "fastmelgan"}, "balanced"),
        ({"high": "hifigan"}, "high"),
    ],
)
def test_a_quality_that_is_not_offered_answers_only_where_there_is_no_other(have, answered):
    assert choose_vocoder("high", have, ("balanced", "fast")) == (answered, have[answered])


def test_qualities_may_be_asked_for_in_chinese():
    qualities = [check_quality(name) for name in ("高保真", "平衡", "快速")]
    assert qualities == ["high", "balanced", "fast"]


def test_an_unknown_quality_lists_the_known_ones():
    with pytest.raises(RequestError, match="high, balanced, fast"):
        check_quality("ultra")


@pytest.mark.parametrize("name", ["TEXT", "STYLE", "QUALITY"])
def test_what_is_not_utf8_names_the_byte(name):
    with pytest.raises(RequestError, match=rf"{name} is not valid UTF-8 \(byte 3\)"):
        read(**({"TEXT": b"a"} | {name: "你".encode() + b"\xff"}))


def test_a_text_beyond_the_limit_says_so():
    with pytest.raises(RequestError, match="100000 characters"):
        read(TEXT=("你" * 100_000).encode())


def test_what_the_text_front_end_reads_is_passed_on():
    request = read(TEXT=b"a", VOICE=b"demo", STYLE=b"", QUALITY=b"fast")
    assert list(request.options) == ["VOICE"]
    assert request.style is None
    assert request.quality == "fast"


def test_a_place_comes_back_as_it_was_given():
    place = Place(3, 72000, 40, 0.35)
    assert read({"resume": place.dump(), "part_seconds": 300}, TEXT=b"a").start == place


@pytest.mark.parametrize(
    "resume",
    [
        *("", "{", "[]", "7", "null", '{"block": 1}', '{"block": 1e999}', "[" * 100_000),
        *(Place(-1).dump(), Place(10**9).dump(), Place(sent=2**60).dump()),
        *(Place(pause=1e9).dump(), Place(pause=float("nan")).dump()),
    ],
)
def test_a_place_that_nobody_gave_is_refused(resume):
    with pytest.raises(RequestError, match="resume"):
        read({"resume": resume}, TEXT=b"a")


@pytest.mark.parametrize("seconds", [-1, "many", 1.5, True])
def test_a_part_that_is_no_whole_number_of_seconds_is_refused(seconds):
    with pytest.raises(RequestError, match="part_seconds"):
        read({"part_seconds": seconds}, TEXT=b"a")


def test_a_voice_may_be_asked_for_by_attributes_and_a_seed():
    request = read(TEXT="你好".encode(), ATTRIBUTES='{"gender": "女性"}'.encode(), SEED=7)
    assert (request.attributes, request.seed) == ({"gender": "女性"}, 7)
    assert (read(TEXT=b"a").attributes, read(TEXT=b"a").seed) == ({}, 0)


@pytest.mark.parametrize("wrong", [b"{", b"[]", b'{"gender": 1}', b"7", b"[" * 1990])
def test_attributes_that_are_no_object_of_texts_say_how_they_are_written(wrong):
    with pytest.raises(RequestError, match=r'write \{"gender": "女性"'):
        read(TEXT=b"a", ATTRIBUTES=wrong)


def test_attributes_and_seeds_beyond_the_limit_say_so():
    with pytest.raises(RequestError, match="ATTRIBUTES has 2010 characters"):
        read(TEXT=b"a", ATTRIBUTES=b" " * 2010)
    with pytest.raises(RequestError, match="0 or more, got -1"):
        read(TEXT=b"a", SEED=-1)
