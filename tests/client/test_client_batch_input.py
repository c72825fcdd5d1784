"""What a batch reads: items, their requests and their files, and what is wrong with a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client import InvalidRequest
from client.batch import BadLine, Line, Reader
from client.batch._records import MAX_LINE


def read(path: Path, content: str | bytes, **defaults: Any) -> list[Line | BadLine]:
    """The items of a file with this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    reader = Reader(path, defaults, ".wav")  # type: ignore[arg-type]
    items = list(reader.lines())
    assert reader.count() == len(items)
    return items


def good(items: list[Line | BadLine]) -> list[tuple[int, str, str, str]]:
    """Number, id, file and text of the items that can be asked for."""
    return [(item.number, item.id, item.target, item.request.text) for item in items if isinstance(item, Line)]


def bad(items: list[Line | BadLine]) -> list[tuple[int, str]]:
    """Number and message of the items that cannot."""
    return [(item.number, str(item.error)) for item in items if isinstance(item, BadLine)]


def test_lines_of_text_are_items_and_blank_ones_are_not(tmp_path: Path) -> None:
    items = read(tmp_path / "in.txt", "\ufeff你好。\r\n\n  \n 再见。 ")
    assert good(items) == [(1, "000001", "000001.wav", "你好。"), (4, "000004", "000004.wav", "再见。")]


def test_json_lines_say_what_they_want(tmp_path: Path) -> None:
    full = {
        "text": "好",
        "id": 7,
        "file": "sub/a.flac",
        "voice": "demo",
        "quality": "快速",
        "speaker": "me",
        "emotion": "sad",
        "style": "温柔",
        "dictionary": {"重庆": "chong2 qing4"},
        "speed": 1.5,
        "pitch": -1,
        "energy": None,
        "attributes": {"gender": "女性"},
        "seed": 7,
    }
    (line,) = read(tmp_path / "in.jsonl", json.dumps(full, ensure_ascii=False), energy=3.0, voice="other")
    assert isinstance(line, Line)
    assert (line.id, line.target) == ("7", "sub/a.flac")
    request = line.request
    assert (request.voice, request.quality, request.speaker, request.emotion) == ("demo", "fast", "me", "sad")
    assert (request.style, request.dictionary) == ("温柔", {"重庆": "chong2 qing4"})
    assert (request.speed, request.pitch, request.energy) == (1.5, -1.0, 3.0)
    assert (request.attributes, request.seed) == ({"gender": "女性"}, 7)


def test_a_table_has_a_header_and_cells_may_hold_lines(tmp_path: Path) -> None:
    content = (
        'id, text ,speed,dictionary,seed,attributes\na,"第一行，\n第二行。",1.2,\n\n'
        'b,好,,"{""重"": ""zhong4""}",3,"{""age"": ""老年""}"\nc,好\n'
    )
    items = read(tmp_path / "in.csv", content)
    assert good(items) == [(2, "a", "a.wav", "第一行，\n第二行。"), (5, "b", "b.wav", "好"), (6, "c", "c.wav", "好")]
    first, second = (item for item in items[:2] if isinstance(item, Line))
    assert (first.request.speed, second.request.speed) == (1.2, None)
    assert second.request.dictionary == {"重": "zhong4"}
    assert (second.request.seed, second.request.attributes) == (3, {"age": "老年"})


def test_a_table_may_be_separated_by_tabs(tmp_path: Path) -> None:
    assert good(read(tmp_path / "in.tsv", "text\tid\n你好，世界\tx\n")) == [(2, "x", "x.wav", "你好，世界")]


BROKEN_JSON = {
    "no JSON": ("{", "not JSON at character 2"),
    "no object": ("[1]", "must be a JSON object with at least text, got list"),
    "no text": ("{}", "text is missing"),
    "text of another type": ('{"text": 3}', "text must be a string, got int"),
    "empty text": ('{"text": " "}', "text must not be empty"),
    "lone surrogate": ('{"text": "\\ud800"}', "text must be Unicode text"),
    "speed": ('{"text": "x", "speed": "fast"}', "speed must be a number"),
    "speed of hundreds of digits": ('{"text": "x", "speed": 1' + 400 * "0" + "}", "speed must be a number"),
    "speed of thousands of digits": ('{"text": "x", "speed": 1' + 9000 * "0" + "}", "not JSON that can be read"),
    "speed nan": ('{"text": "x", "speed": NaN}', "speed must be a number"),
    "thousands of brackets": (100_000 * "[", "not JSON that can be read"),
    "id": ('{"text": "x", "id": [1]}', "id must be a string or a whole number, got [1]"),
    "id that is a truth": ('{"text": "x", "id": true}', "id must be a string or a whole number"),
    "surrogate in id": ('{"text": "x", "id": "\\ud800"}', "id must be a string"),
    "file outside": ('{"text": "x", "file": "../x.wav"}', "file must stay inside"),
    "file above inside": ('{"text": "x", "file": "a/../../x.wav"}', "file must stay inside"),
    "absolute file": ('{"text": "x", "file": "/tmp/x.wav"}', "file must stay inside"),
    "hidden file": ('{"text": "x", "file": "a/.x"}', "file must not be a hidden one"),
    "zero in file": ('{"text": "x", "file": "a\\u0000b"}', "file must be a path"),
    "dictionary": ('{"text": "x", "dictionary": ["a"]}', "dictionary must map words to readings"),
    "attributes": ('{"text": "x", "attributes": {"gender": 1}}', 'the attribute "gender" must be a string, got int'),
    "seed": ('{"text": "x", "seed": 1.5}', "seed must be a whole number between 0 and 2147483647, got 1.5"),
    "style": ('{"text": "x", "style": "' + 501 * "x" + '"}', "style has 501 characters"),
}


@pytest.mark.parametrize(("line", "message"), BROKEN_JSON.values(), ids=BROKEN_JSON.keys())
def test_a_broken_line_is_told_with_its_number_and_stops_nothing(line: str, message: str, tmp_path: Path) -> None:
    items = read(tmp_path / "in.jsonl", f'{{"text": "a"}}\n{line}\n{{"text": "b"}}\n')
    ((number, told),) = bad(items)
    assert number == 2
    assert told.startswith(message)
    assert len(told) < 300
    assert [text for *_, text in good(items)] == ["a", "b"]


@pytest.mark.parametrize("name", ["in.txt", "in.jsonl"])
def test_a_line_that_is_not_utf8_is_told_with_the_place(name: str, tmp_path: Path) -> None:
    assert bad(read(tmp_path / name, b"\n{\xff\n")) == [(2, "not UTF-8 at byte 1 of the line, convert it to UTF-8")]


BROKEN_ROWS = {
    "too many cells": ("好,1,,,x", "has 5 cells where the header has 4"),
    "no number": ("好,fast", "speed must be a number, got 'fast'"),
    "no whole number": ("好,,1.5", "seed must be a whole number, got '1.5'"),
    "no object": ("好,,,[1]", "attributes: must be a JSON object, got list"),
    "bytes": (b"\xff,1", "not UTF-8"),
    "text after a quotation": ('"好"x,1', "not CSV"),
}


@pytest.mark.parametrize(("row", "message"), BROKEN_ROWS.values(), ids=BROKEN_ROWS.keys())
def test_a_broken_row_is_told_with_its_number_and_stops_nothing(row: str | bytes, message: str, tmp_path: Path) -> None:
    raw = row.encode() if isinstance(row, str) else row
    items = read(tmp_path / "in.csv", b"text,speed,seed,attributes\na,1\n" + raw + b"\nb,1\n")
    ((number, told),) = bad(items)
    assert number == 3
    assert told.startswith(message)
    assert [text for *_, text in good(items)] == ["a", "b"]


def test_a_quotation_that_never_ends_is_told_and_not_spoken(tmp_path: Path) -> None:
    items = read(tmp_path / "in.csv", 'text\na\n"b\nc\nd\n')
    assert [text for *_, text in good(items)] == ["a"]
    assert bad(items) == [(3, "not CSV: unexpected end of data; is a quotation mark missing?")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.csv", "words,id\na,b\n", "its first line must name the columns, and one of them text"),
        ("in.csv", "", "one of them text"),
        ("in.csv", "text,text\na,b\n", "names a column twice"),
        ("in.txt", "x" * (MAX_LINE + 1), "line 1 is longer than 1 MiB"),
    ],
)
def test_an_input_that_is_wrong_as_a_whole_is_refused(name: str, content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read(tmp_path / name, content)


def test_an_input_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "none.txt", "No such file"),
        (tmp_path, "Is a directory"),
        (Path("a\0b"), "null"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            list(Reader(path, {}, ".wav").lines())


def test_two_items_cannot_have_one_file(tmp_path: Path) -> None:
    lines = ['{"text": "a", "id": "x"}', '{"text": "b", "id": "X"}', '{"text": "c", "file": "x.wav"}', '{"text": "d"}']
    items = read(tmp_path / "in.jsonl", "\n".join(lines))
    assert [number for number, _ in bad(items)] == [2, 3]
    assert all("is the file of an earlier line" in message for _, message in bad(items))


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "x" * 300, "好 的", "a\nb", "con:1", "-", "🎵"])
def test_any_id_has_a_file_of_its_own(name: str, tmp_path: Path) -> None:
    lines = [json.dumps({"text": "a", "id": item}) for item in (name, name + "2")]
    items = read(tmp_path / "in.jsonl", "\n".join(lines))
    targets = [target for *_, target, _ in good(items)]
    assert len(set(targets)) == (2 if name else 1)
    for target in targets:
        assert "/" not in target
        assert not target.startswith(".")
        assert len(target.encode()) <= 255


def test_a_request_that_changes_has_another_digest(tmp_path: Path) -> None:
    def digest(**fields: Any) -> str:
        (line,) = read(tmp_path / "in.jsonl", json.dumps({"text": "a", **fields}))
        assert isinstance(line, Line)
        return line.digest

    changes: list[dict[str, Any]] = [{}, {"text": "b"}, {"voice": "x"}, {"speed": 1.1}, {"dictionary": {"a": "b"}}]
    changes += [{"seed": 0}, {"attributes": {"age": "老年"}}]
    assert len({digest(**change) for change in changes}) == len(changes)
    assert digest() == digest(id="elsewhere"), "the same audio under another name"


def test_fields_that_mean_nothing_are_remembered(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a", "txet": "b", "author": "c"}', encoding="utf-8")
    reader = Reader(path, {}, ".wav")
    assert len(list(reader.lines())) == 1
    assert reader.unused == {"txet", "author"}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ending=st.sampled_from(["txt", "csv", "tsv", "jsonl"]), content=st.binary(max_size=200), text=st.text())
def test_no_input_raises_anything_else(tmp_path: Path, ending: str, content: bytes, text: str) -> None:
    path = tmp_path / f"in.{ending}"
    path.write_bytes(b"text,id,speed\n" + content + text.encode() + b'\n{"text": 1, "id": "' + content)
    try:
        numbers = [item.number for item in Reader(path, {}, ".wav").lines()]
    except InvalidRequest:
        return
    assert numbers == sorted(set(numbers))
