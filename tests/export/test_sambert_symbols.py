"""Symbols of KAN-TTS and their ids, against what upstream made of its own symbol lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.errors import CheckpointError
from export.families.sambert.symbols import MANDARIN, tables

DATA = Path(__file__).parents[1] / "data" / "sambert" / "nsf16k"
SPEAKERS = ("F7", "F74", "FBYN", "FRXL", "M7", "xiaoyu")
NAMES = dict(MANDARIN) | {"speaker_category": SPEAKERS}
ROWS = {
    "sy": 147,
    "tone": 10,
    "syllable_flag": 8,
    "word_segment": 8,
    "emo_category": 36,
    "speaker_category": 9,
}


def test_every_symbol_of_a_line_has_the_id_that_upstream_gives_it() -> None:
    known = tables(NAMES, ROWS)
    lines = dict(line.split("\t") for line in (DATA / "symbols.txt").read_text(encoding="utf-8").splitlines())
    units = [unit.strip("{}").split("$") for unit in lines["beijing"].split()]
    ids = np.array([[known[feature][name] for feature, name in zip(known, unit, strict=True)] for unit in units])
    with np.load(DATA / "reference_beijing.npz") as reference:
        expected = np.concatenate([reference["ling"][0], reference["emo"].T, reference["spk"].T], axis=1)
    np.testing.assert_array_equal(ids, expected)


def test_ids_are_places_in_lists_that_end_with_padding_end_and_mask() -> None:
    known = tables(NAMES, ROWS)
    assert list(known) == list(ROWS)
    assert {feature: len(table) for feature, table in known.items()} == ROWS
    assert all(list(table.values()) == list(range(len(table))) for table in known.values())
    places = {"a_c": 0, "y_c": 61, "ga": 62, "aa": 65, "air_c": 104, "pau": 139, "#1": 140, "#4": 143, "_": 144}
    assert {symbol: known["sy"][symbol] for symbol in places} == places
    assert known["tone"] == {
        name: number
        for number, name in enumerate(
            ["tone1", "tone_none", "tone4", "tone2", "tone3", "tone5", "tone0", "_", "~", "@[MASK]"]
        )
    }
    assert known["emo_category"]["emotion_placeholder9"] == 32
    assert known["speaker_category"]["@[MASK]"] == 8


def test_a_model_without_mask_has_tables_one_shorter() -> None:
    known = tables(NAMES, {feature: rows - 1 for feature, rows in ROWS.items()})
    assert [list(table)[-1] for table in known.values()] == ["~"] * 6
    assert known["sy"]["#1"] == 140


def test_the_speakers_of_a_voice_without_speaker_embeddings_need_not_fit() -> None:
    rows = {feature: count for feature, count in ROWS.items() if feature != "speaker_category"}
    assert tables(NAMES, rows)["speaker_category"]["F7"] == 0


@pytest.mark.parametrize(("feature", "rows"), [("sy", 145), ("sy", 148), ("speaker_category", 4)])
def test_tables_of_another_size_are_told_with_both_numbers(feature: str, rows: int) -> None:
    with pytest.raises(CheckpointError, match=rf"{feature} has {rows} embeddings .* symbols need {ROWS[feature]} "):
        tables(NAMES, ROWS | {feature: rows})


def test_a_speaker_named_twice_is_told() -> None:
    with pytest.raises(CheckpointError, match="the symbol F7 twice"):
        tables(NAMES | {"speaker_category": ("F7", "M7", "F7")}, ROWS | {"speaker_category": 6})
