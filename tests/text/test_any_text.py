"""Properties of every text, with or without markup."""

from __future__ import annotations

import json
from contextlib import suppress
from xml.sax.saxutils import escape

from controls import ControlError
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mandarin import TextError
from markup import MarkupError
from speaking import Ask, Speaking
from text_helpers import words

PIECES = [
    "你好",
    "今天天气真好，",
    "一个不得了。",
    "12.5%",
    "GPT-4 ",
    "\n",
    "😀",
    "[pause:0.2s]",
    "[重庆](chong2 qing4)",
    "[重庆](chogn2)",
    "[a](b)",
    "&amp;",
    "&",
    "<",
    "<speak>",
    "</speak>",
    '<mark name="m"/>',
    "<break/>",
    '<prosody rate="fast">',
    "</prosody>",
    "<s>",
    "</s>",
    '<sub alias="二。三">',
    "</sub>",
    "<emphasis>",
    "</emphasis>",
    '<say-as interpret-as="date">',
    "</say-as>",
]
MARKED = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
WRAPPED = st.recursive(
    st.sampled_from([piece for piece in PIECES if not piece.startswith(("<", "&")) or piece.endswith("/>")]),
    lambda inner: st.builds(
        lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag.split()[0]}>",
        st.sampled_from(["p", "s", "emphasis", 'prosody rate="90%"', 'voice name="demo" speaker=""', 'x:y z="1"']),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)
ANY = st.text(max_size=60) | MARKED | (MARKED | WRAPPED).map(lambda inner: f"<speak>{inner}</speak>")
# Blanks are layout in SSML; control characters and surrogates are not allowed in XML at all.
PLAIN = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Co", "Cn"))
    | st.sampled_from("你好一不得地了着儿的行长重三0123456789.,:-/%+=，。！？“”（）…aAzZ<>&[]"),
    max_size=40,
)


@settings(max_examples=400, deadline=None)
@given(text=ANY)
def test_any_text_is_planned_or_refused_with_one_line(speaking: Speaking, text: str) -> None:
    refusal = ""
    blocks = []
    try:
        blocks = [json.loads(block) for block in speaking.plan(Ask(text))]
    except (TextError, MarkupError) as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert bool(blocks) != bool(refusal)
    if refusal:
        return
    assert sum(block["characters"] for block in blocks) == len(text)
    assert all(block["characters"] >= 0 for block in blocks)
    for block in blocks:
        if "silence" not in block:
            for start, end, _, _ in block["spans"]:
                assert 0 <= start < end <= len(block["text"])
            assert all(0 <= at <= len(block["text"]) for _, at in block["places"])


@settings(max_examples=200, deadline=None)
@given(text=ANY)
def test_what_is_planned_can_be_spoken_in_blocks_and_at_once(speaking: Speaking, text: str) -> None:
    try:
        blocks = speaking.plan(Ask(text))
    except (TextError, MarkupError):
        return
    marks, spoken, untold = [], [], []
    for block in blocks:
        if "silence" in json.loads(block):
            marks += json.loads(block)["marks"]
            continue
        try:
            made = [json.loads(clause) for clause in speaking.block(block, None).clauses]
        except TextError:
            assert json.loads(block)["places"] == []
            untold += json.loads(block)["notices"]
            continue
        spoken += [word for clause in made for word, _, _ in clause["words"]]
        marks += [name for clause in made for name, _ in clause["marks"]]
    if text.startswith("<speak>"):
        assert len(marks) == text.count("<mark")
    if spoken:
        assert untold == [], "what is to be told is told by a block that is spoken"
        with suppress(ControlError):  # more clauses than an ensemble takes
            whole = speaking.whole(Ask(text))
            assert [word for clause in whole.clauses for word, _, _ in json.loads(clause)["words"]] == spoken


@settings(max_examples=200, deadline=None)
@given(text=PLAIN)
def test_blocks_of_plain_text_are_the_text(speaking: Speaking, text: str) -> None:
    assume("[" not in text)
    try:
        blocks = [json.loads(block) for block in speaking.plan(Ask(text))]
    except TextError:
        return
    assert "".join(block["text"] for block in blocks) == text


@settings(max_examples=200, deadline=None)
@given(text=PLAIN)
def test_escaped_in_ssml_a_text_has_the_same_words(speaking: Speaking, text: str) -> None:
    try:
        expected = words(speaking, text)
    except TextError:
        return
    assert words(speaking, f"<speak>{escape(text)}</speak>") == expected
