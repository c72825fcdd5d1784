"""A wrong parameter is refused with its name when the model is loaded."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from settings import Preset, Settings

NUMBERS = [field.name for field in fields(Settings) if field.name != "presets"]


def test_what_the_config_leaves_out_has_a_value_of_its_own():
    assert Settings.parse({}) == Settings()
    assert Settings.parse({"max_in_flight": "3"}).max_in_flight == 3


def test_every_parameter_is_read():
    values = {
        "max_in_flight": 4,
        "max_waiting": 9,
        "first_chunk_frames": 16,
        "max_chunk_frames": 128,
        "idle_unload_seconds": 90.5,
        "max_loaded_voices": 2,
        "default_deadline_seconds": 30.0,
        "small_free_bytes": 3_000_000_000,
        "small_used_fraction": 0.7,
        "light_free_bytes": 2_000_000_000,
        "light_used_fraction": 0.8,
        "shed_free_bytes": 1_000_000_000,
        "shed_used_fraction": 0.9,
        "queue_wait_seconds": 1.5,
        "recover_seconds": 20.0,
    }
    presets = json.dumps([{"name": "新闻", "instruction": "沉稳"}])
    settings = Settings.parse({name: str(value) for name, value in values.items()} | {"presets": presets})
    assert settings == Settings(**values, presets=(Preset("新闻", "沉稳"),))
    assert settings.thresholds.light.free_bytes == 2_000_000_000
    assert settings.thresholds.shed.used_fraction == 0.9
    assert settings.thresholds.recover_seconds == 20.0


@given(st.sampled_from(NUMBERS), st.text(max_size=60).filter(lambda text: not any(c.isdigit() for c in text)))
def test_a_value_that_is_no_number_is_refused_with_the_parameters_name(name, text):
    with pytest.raises(ValueError, match=f"parameter '{name}'"):
        Settings.parse({name: text})


@given(st.sampled_from(NUMBERS), st.floats(max_value=-1e-9) | st.just(float("nan")) | st.just(float("inf")))
def test_a_value_out_of_bounds_is_refused_with_the_parameters_name(name, value):
    with pytest.raises(ValueError, match=f"parameter '{name}'"):
        Settings.parse({name: str(value)})


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("max_in_flight", "0", "a whole number of 1 or more"),
        ("max_waiting", "1.5", "a whole number of 0 or more"),
        ("small_used_fraction", "1.2", "a number from 0 to 1"),
        ("default_deadline_seconds", "0", "a number above 0"),
    ],
)
def test_the_refusal_says_what_the_value_must_be(name, value, wanted):
    with pytest.raises(ValueError, match=f"parameter '{name}' is '{value}': it must be {wanted}"):
        Settings.parse({name: value})


def test_a_misspelt_parameter_is_refused_and_tritons_own_are_passed_over():
    with pytest.raises(ValueError, match="parameter 'max_inflight' is not known"):
        Settings.parse({"max_inflight": "4"})
    assert Settings.parse({"EXECUTION_ENV_PATH": "/env.tar.gz"}) == Settings()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"first_chunk_frames": "300"}, "first_chunk_frames"),
        ({"small_free_bytes": "5", "shed_free_bytes": "6"}, "'shed_free_bytes' is 6, it must be at most small"),
        ({"light_used_fraction": "0.8", "shed_used_fraction": "0.7"}, "'shed_used_fraction' is 0.7, it must be at le"),
    ],
)
def test_values_that_contradict_each_other_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        Settings.parse(parameters)


def test_a_step_that_is_switched_off_contradicts_nothing():
    assert Settings.parse({"small_free_bytes": "9", "light_free_bytes": "0", "shed_free_bytes": "3"})


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "3",
        '["a"]',
        '[{"name": "a"}]',
        '[{"name": "", "instruction": "b"}]',
        '[{"name": 3, "instruction": "b"}]',
        '[{"name": "a", "instruction": "b"}, {"name": "a", "instruction": "c"}]',
    ],
)
def test_presets_that_are_not_names_with_instructions_are_refused(text):
    with pytest.raises(ValueError, match="parameter 'presets'"):
        Settings.parse({"presets": text})


def test_batching_is_true_or_false():
    assert Settings.parse({"batching": "false"}).batching is False
    with pytest.raises(ValueError, match="'batching' is 'no': it must be true or false"):
        Settings.parse({"batching": "no"})
