"""Controls are refused when absurd and clamped, with a notice, to what the voice can do."""

from __future__ import annotations

import math

import pytest
from controls import BOUNDS, ControlError, Controls, Shift, resolve
from hypothesis import given
from hypothesis import strategies as st

LIMITS = {"speed": (0.6, 1.8), "pitch": (-4.0, 4.0), "contour": (0.0, 2.0), "energy": (-6.0, 6.0)}


def test_what_is_not_asked_for_is_natural():
    assert resolve({}, LIMITS) == (Controls(1.0, 0.0, 1.0, 0.0), [])


@pytest.mark.parametrize("name", list(BOUNDS))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e9, -1e9])
def test_absurd_values_are_refused_with_the_bounds(name, value):
    with pytest.raises(ControlError, match=f"{name} must be between"):
        resolve({name: value}, LIMITS)


def test_speed_zero_is_refused():
    with pytest.raises(ControlError, match=r"speed must be between 0\.5 and 2, got 0"):
        resolve({"speed": 0.0}, LIMITS)


def test_a_clamped_value_is_reported():
    controls, (notice,) = resolve({"pitch": 6.0}, LIMITS)
    assert controls.pitch == 4.0
    assert notice.kind == "clamped"
    assert "-4..4" in notice.message


@given(st.floats(0.5, 2.0), st.floats(-12, 12), st.floats(-12, 12))
def test_what_is_used_is_always_within_the_voices_limits(speed, pitch, energy):
    controls, notices = resolve({"speed": speed, "pitch": pitch, "energy": energy}, LIMITS)
    for name, asked in (("speed", speed), ("pitch", pitch), ("energy", energy)):
        low, high = LIMITS[name]
        used = getattr(controls, name)
        assert low <= used <= high
        assert (used == asked) != any(notice.text.startswith(name) for notice in notices)


def test_what_is_asked_for_wins_over_the_style_and_the_rest_is_the_styles():
    controls, notices = resolve({"speed": 1.5}, LIMITS, style={"speed": 0.7, "pitch": 2.0})
    assert (controls.speed, controls.pitch) == (1.5, 2.0)
    assert not notices


def test_a_style_is_clamped_in_silence():
    controls, notices = resolve({}, LIMITS, style={"pitch": 9.0, "speed": 0.1})
    assert (controls.pitch, controls.speed) == (4.0, 0.6)
    assert not notices


def test_markup_comes_on_top_of_either_and_is_told_when_clamped():
    shift = Shift(speed=1.2, pitch=-1.0, contour=0.5, energy=2.0)
    controls, notices = resolve({"speed": 1.25}, LIMITS, style={"pitch": 2.0}, shift=shift)
    assert controls == Controls(1.5, 1.0, 0.5, 2.0)
    assert not notices
    controls, (notice,) = resolve({}, LIMITS, style={"pitch": -3.5}, shift=shift)
    assert controls.pitch == -4.0
    assert (notice.kind, notice.text) == ("clamped", "pitch -4.5")
