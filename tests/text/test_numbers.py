"""Written numbers: they must sound as their Chinese wording does, but for sandhi."""

import re

import pytest
from mandarin import Frontend
from text_helpers import reading, table


def toneless(sounds: str) -> str:
    return re.sub(r"\d", "", sounds)


@pytest.mark.parametrize(("text", "expected"), table("numbers.tsv"))
def test_number(frontend: Frontend, text: str, expected: str) -> None:
    assert toneless(reading(frontend, text)) == toneless(reading(frontend, expected))
