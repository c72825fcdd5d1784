"""What `STYLE` stands for."""

from __future__ import annotations

import numpy as np
import pytest
import styles
from errors import RequestError

PRESETS = {"电台主播": "音调偏低、微哑、平静忧伤", "幼儿园女教师": "甜美明亮、极慢语速、温柔鼓励"}
CONTROLS = ("speed", "pitch", "contour", "energy")


def understood(style, certainty, conflict=0.0):
    return styles.check_understood(
        style, PRESETS, CONTROLS, np.full(4, certainty, dtype=np.float32), np.full(4, conflict, dtype=np.float32)
    )


def test_presets_come_from_the_configuration():
    text = '[{"name": "a", "instruction": "b"}]'
    assert styles.parse_presets(text) == {"a": "b"}
    assert styles.parse_presets("") == {}


def test_a_preset_stands_for_its_instruction_and_anything_else_for_itself():
    assert styles.instruction("电台主播", PRESETS) == "音调偏低、微哑、平静忧伤".replace("、", "、")
    assert styles.instruction(" 很慢  很轻 ", PRESETS) == "很慢 很轻"


@pytest.mark.parametrize("asked", ["", "  ", "慢" * 10_000])
def test_no_instruction_and_an_endless_one_are_refused(asked):
    with pytest.raises(RequestError, match="style"):
        styles.instruction(asked, PRESETS)


def test_code_points_are_padded_to_whole_buckets():
    points = styles.code_points("很慢")
    assert points.shape == (1, 32)
    assert points[0, :3].tolist() == [ord("很"), ord("慢"), 0]
    assert styles.code_points("慢" * 33).shape == (1, 64)


def test_an_unknown_preset_names_the_near_ones():
    with pytest.raises(RequestError, match="电台主播"):
        understood("电台主持", 0.0)


def test_an_instruction_that_is_not_understood_is_told():
    (notice,) = understood("嘎嘣脆", 0.0)
    assert notice["kind"] == "style"


def test_contradictions_are_told():
    (notice,) = understood("极快又极慢", 1.0, 0.9)
    assert "opposite" in notice["message"]
    assert understood("很慢", 1.0) == []
