"""A model is unhealthy from when it was found dead until it answers."""

from __future__ import annotations

import pytest
from errors import is_out_of_memory
from vitals import Vitals


@pytest.fixture
def told():
    return []


@pytest.fixture
def vitals(told):
    return Vitals(lambda model, dead: told.append((model, dead)))


def test_a_model_that_was_found_dead_is_ill_until_it_answers(vitals, told):
    vitals.answered("aligner")
    assert told == []
    vitals.died("aligner", "aligner")
    vitals.answered("demo_encoder")
    assert told == [("aligner", True)]
    vitals.answered("aligner")
    vitals.answered("aligner")
    assert told == [("aligner", True), ("aligner", False)]


def test_a_model_that_others_call_is_well_when_they_are(vitals, told):
    vitals.died("zhi_llasa", "zhi_vd")
    vitals.answered("zhi_vd")
    assert told == [("zhi_llasa", True), ("zhi_llasa", False)]


@pytest.mark.parametrize(
    "message",
    [
        "aligner: numpy.core._exceptions._ArrayMemoryError: Unable to allocate 4.00 EiB for an array",
        "demo_decoder: CUDA failure 2: out of memory ; GPU=0",
        "demo_decoder: std::bad_alloc",
        "demo_melgan: Failed to allocate memory for requested buffer of size 805306368",
        "demo_melgan: [E:onnxruntime] Available memory of 5 is smaller than requested bytes of 6",
        "postprocess: Failed to increase the shared memory pool size for key 'x' to 9 bytes",
        "synthesis failed: MemoryError()",
    ],
)
def test_a_stage_that_got_no_memory_is_known_by_its_words(message):
    assert is_out_of_memory(message)


@pytest.mark.parametrize("message", ["aligner: no such shape", "demo_encoder: Stub process is not healthy", ""])
def test_other_errors_are_not_taken_for_want_of_memory(message):
    assert not is_out_of_memory(message)
