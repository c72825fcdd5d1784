"""What the front door accepts."""

from __future__ import annotations

import numpy as np
import pytest
from errors import RequestError
from request import Request, check_quality, choose_vocoder


def read(**inputs):
    return Request.read({name: np.array([value], dtype=object) for name, value in inputs.items()})


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
    assert choose_vocoder(asked, have) == (answered, have[answered])


def test_qualities_may_be_asked_for_in_chinese():
    qualities = [check_quality(name) for name in ("高保真", "平衡", "快速", None)]
    assert qualities == ["high", "balanced", "fast", "balanced"]


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
