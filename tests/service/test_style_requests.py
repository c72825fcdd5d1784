"""`STYLE` at the front door: presets, instructions, and what wins over them."""

from __future__ import annotations

import pytest

from client import InvalidRequest

TEXT = "今天天气真好，我们去公园散步吧。"


def test_an_instruction_changes_the_voice_and_an_explicit_control_wins(synthesizer):
    plain = synthesizer.synthesize(TEXT).duration
    assert synthesizer.synthesize(TEXT, style="极慢语速").duration > 1.2 * plain
    assert synthesizer.synthesize(TEXT, style="语速飞快").duration < 0.9 * plain
    assert synthesizer.synthesize(TEXT, style="极慢语速", speed=1.0).duration == pytest.approx(plain, abs=0.02)


def test_every_preset_is_its_instruction(synthesizer):
    presets = synthesizer.styles()
    assert len(presets) >= 12
    assert [preset.name for preset in presets[:2]] == ["幼儿园女教师", "电台主播"]
    for preset in presets[:3]:
        named, described = (synthesizer.synthesize(TEXT, style=style) for style in (preset.name, preset.instruction))
        assert (named.samples == described.samples).all()
        assert not named.notices


def test_a_misspelt_preset_names_the_near_ones(synthesizer):
    with pytest.raises(InvalidRequest, match="诗朗诵"):
        synthesizer.synthesize(TEXT, style="诗朗送")


@pytest.mark.parametrize("style", ["嘎嘣嘎嘣", "极快极慢"])
def test_what_is_not_understood_or_contradicts_itself_is_told(synthesizer, style):
    speech = synthesizer.synthesize(TEXT, style=style)
    assert [notice.kind for notice in speech.notices] == ["style"]


def test_an_endless_instruction_is_refused(triton):
    with pytest.raises(Exception, match="style has 10000 characters"):
        triton.stream(TEXT=TEXT, STYLE="慢" * 10_000)
