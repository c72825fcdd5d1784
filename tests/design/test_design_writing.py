"""A language model is asked for codes until it has ended."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from design_errors import FailedDesignError
from design_settings import Arrays, Model
from design_writing import PATIENCE, PAUSE, write

LLASA = Model("ming_llasa", (), ("tokens", "end"))
PROMPT = np.array([5, 6, 7], dtype=np.int32)


class Language:
    """A language model that gives these answers, one for each call after the first."""

    def __init__(self, *answers: tuple[list[int], str]) -> None:
        self.answers = [([], ""), *answers]
        self.calls: list[Arrays] = []
        self.paused: list[float] = []

    def infer(self, model: Model, inputs: Arrays) -> list[npt.NDArray[Any]]:
        assert model is LLASA
        self.calls.append(inputs)
        tokens, end = self.answers.pop(0) if self.answers else ([], "")
        return [np.array(tokens, dtype=np.int32), np.array([end.encode()], dtype=np.object_)]

    def write(self, seed: int = 3, most: int = 90) -> tuple[list[int], str]:
        codes, end = write(self.infer, LLASA, PROMPT, seed=seed, most=most, pause=self.paused.append)
        assert codes.dtype == np.int32
        return codes.tolist(), end


def test_codes_are_joined_up_to_the_end() -> None:
    language = Language(([], ""), ([1, 2], ""), ([], ""), ([3], "stop"))
    assert language.write() == ([1, 2, 3], "stop")
    assert language.paused == [PAUSE] * 3


def test_the_first_call_asks_and_the_others_ask_for_more() -> None:
    language = Language(([1], ""), ([2], "length"))
    language.write(seed=-4, most=77)
    first, *others = language.calls
    assert first["prompt"] is PROMPT
    assert [first[name].tolist() for name in ("seed", "most")] == [[-4], [77]]
    assert all(other == {"key": first["key"]} for other in others)


def test_every_generation_has_a_key_of_its_own() -> None:
    keys = set()
    for _ in range(2):
        language = Language(([], "stop"))
        assert language.write() == ([], "stop")
        keys.add(language.calls[0]["key"][0])
    assert len(keys) == 2


def test_a_model_that_writes_nothing_is_not_waited_for_for_ever() -> None:
    language = Language(([1], ""))
    with pytest.raises(FailedDesignError, match="ming_llasa wrote nothing for 600 s: ask again when it has less to do"):
        language.write()
    assert sum(language.paused) == pytest.approx(PATIENCE + PAUSE)


def test_patience_begins_anew_with_every_code() -> None:
    silence = [([], "")] * round(0.9 * PATIENCE / PAUSE)
    language = Language(*silence, ([1], ""), *silence, ([2], "stop"))
    assert language.write() == ([1, 2], "stop")
