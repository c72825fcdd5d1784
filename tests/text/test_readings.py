"""Readings of Chinese text: polyphones, sandhi, neutral tones, erhua, traditional characters."""

import pytest
from mandarin import Frontend
from text_helpers import reading, table


@pytest.mark.parametrize(("text", "expected"), table("readings.tsv"))
def test_reading(frontend: Frontend, text: str, expected: str) -> None:
    assert f" {expected} " in f" {reading(frontend, text)} "
