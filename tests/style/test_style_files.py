"""The checked-in files of the style stage belong together."""

from __future__ import annotations

import hashlib
import json
from itertools import combinations
from random import Random

import numpy as np
import pytest
from style_helpers import NEUTRAL

from export.errors import CheckpointError
from export.families.fastspeech2 import demo
from export.style import presets, weights
from export.style.attributes import ATTRIBUTES
from export.style.grammar import Grammar
from export.style.lexicon import load, parse_effects
from export.style.pieces import framed, marked
from export.style.train import train


def test_the_weights_were_trained_from_these_sources():
    note = json.loads(weights.NOTE.read_text(encoding="utf-8"))
    assert note["sources_sha256"] == weights.sources_digest(), "run: python -m export.style.train"
    assert note["weights_sha256"] == hashlib.sha256(weights.FILE.read_bytes()).hexdigest()


def test_the_weights_are_small():
    assert weights.FILE.stat().st_size < 500_000


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no archive"])
def test_damaged_weights_are_one_error(tmp_path, content):
    (tmp_path / "weights.npz").write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot read the style weights"):
        weights.load(tmp_path / "weights.npz")


def test_missing_weights_are_one_error(tmp_path):
    with pytest.raises(CheckpointError, match=r"export\.style\.train"):
        weights.load(tmp_path / "none.npz")


def test_weights_of_another_network_are_one_error(tmp_path):
    np.savez(
        tmp_path / "weights.npz", **{"embedding.weight": np.zeros((3, 3)), "codes": np.arange(2), "rows": np.arange(2)}
    )
    with pytest.raises(CheckpointError, match="cannot read the style weights"):
        weights.load(tmp_path / "weights.npz")


@pytest.mark.parametrize("text", ["tempo+.5", "speed.5", "speed+", "speed+.5@"])
def test_a_malformed_effect_is_refused(text):
    with pytest.raises(ValueError, match="not an effect"):
        parse_effects(text)


def test_every_effect_of_the_lexicon_is_within_reach():
    lexicon = load()
    tables = (lexicon.scales, lexicon.verbs, lexicon.neutrals)
    words = [word for table in tables for group in table.values() for word in group]
    for word in (*words, *lexicon.moods, *lexicon.personas):
        assert word.effects
        for effect in word.effects.values():
            assert -1 <= effect.strength <= 1
            assert 0 < effect.clarity <= 1


def test_equal_seeds_make_equal_instructions_whose_marks_lie_inside():
    one, other = (Grammar(load(), Random(5), ["公司"]) for _ in range(2))
    made = [one.instruction() for _ in range(300)]
    assert made == [other.instruction() for _ in range(300)]
    for piece in made:
        assert all(0 <= position < len(piece.text) for position, _ in piece.marks)


def test_a_mark_moves_with_its_word():
    effects = parse_effects("speed+.5")
    piece = framed("说得…而且…吧", marked("飞快", effects), marked("响", effects))
    assert [piece.text[position] for position, _ in piece.marks] == ["快", "响"]


def test_the_two_presets_that_were_asked_for_come_first_and_names_are_unique():
    names = [preset.name for preset in presets.load()]
    assert names[:2] == ["幼儿园女教师", "电台主播"]
    assert len(names) == len(set(names)) >= 12


def test_each_preset_is_a_style_of_its_own_within_the_voices_limits(read):
    limits = demo.voice("demo", 300).limits.as_dict()
    reach = np.array([limits[name][1] - limits[name][0] for name in ATTRIBUTES])
    styles = {}
    for preset in presets.load():
        reading = read(preset.instruction)
        assert max(reading.conflict.values()) < 0.5, preset
        for name, value in reading.style.items():
            assert limits[name][0] <= value <= limits[name][1], preset
        assert any(reading.moved(name) for name in NEUTRAL), preset
        styles[preset.name] = np.array([reading.style[name] for name in ATTRIBUTES]) / reach
    for one, other in combinations(styles, 2):
        assert np.abs(styles[one] - styles[other]).max() > 0.05, (one, other)


@pytest.mark.filterwarnings("ignore:pkg_resources is deprecated")
def test_training_twice_gives_the_same_weights(capsys):
    one, other = (train(instructions=256, epochs=1).state_dict() for _ in range(2))
    for name, value in one.items():
        np.testing.assert_array_equal(value.numpy(), other[name].numpy(), err_msg=name)
