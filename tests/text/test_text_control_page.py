"""The examples of docs/text-control.md do what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from speaking import Speaking
from text_helpers import blocks, notices, words

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "text-control.md").read_text(encoding="utf-8")
HONOURED, _, IGNORED = PAGE[PAGE.index("## SSML") : PAGE.index("## Dictionary")].partition("Everything else")


def examples(part: str) -> list[str]:
    """The code in the first column of a part's tables."""
    rows = [line.split(" | ")[0] for line in part.splitlines() if line.startswith("| `")]
    return [code for row in rows for code in re.findall("`([^`]+)`", row)]


def fenced(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def document(example: str) -> str:
    return example if example.startswith("<speak") else f"<speak>{example}好。</speak>"


@pytest.mark.parametrize("example", examples(HONOURED))
def test_what_the_page_calls_honoured_is(speaking: Speaking, example: str) -> None:
    told = notices(speaking, document(example))
    # The demo voice has no emotions: this is what a voice without says.
    assert told == ([("markup", "emotion happy")] if "happy" in example else [])


@pytest.mark.parametrize("example", examples(IGNORED))
def test_what_the_page_says_is_told_is_told(speaking: Speaking, example: str) -> None:
    assert [kind for kind, _ in notices(speaking, document(example))] == ["markup"]
    assert "".join(words(speaking, document(example))) == "你好好"


@pytest.mark.parametrize("text", fenced("text") + fenced("xml"))
def test_whole_examples_are_planned_without_a_notice(speaking: Speaking, text: str) -> None:
    assert sum(block["characters"] for block in blocks(speaking, text)) == len(text)
    assert notices(speaking, text) == []


def test_the_dictionary_of_the_page_is_one(speaking: Speaking) -> None:
    (entries,) = fenced("json")
    assert words(speaking, "我在重庆学AI😀", json.loads(entries)) == ["我", "在", "重庆", "学", "AI", "😀"]


def test_the_page_has_examples() -> None:
    assert len(examples(HONOURED)) >= 20
    assert len(examples(IGNORED)) >= 8
