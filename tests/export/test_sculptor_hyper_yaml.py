"""CosyVoice's configs are read as data: nothing they name is made or called."""

from __future__ import annotations

import pytest

from export.errors import CheckpointError
from export.families.sculptor.hyper_yaml import Tagged, read


@pytest.fixture
def reading(tmp_path):
    def read_text(text):
        path = tmp_path / "cosyvoice2.yaml"
        path.write_text(text, encoding="utf-8")
        return read(path)

    return read_text


def test_tags_are_text_and_nothing_they_name_is_called(reading, tmp_path):
    made = tmp_path / "made"
    content = reading(
        f"a: !apply:pathlib.Path.touch ['{made}']\nb: !new:torch.nn.Linear\n    bias: False\nc: !name:os.system\n"
    )
    assert content["a"] == Tagged("apply:pathlib.Path.touch", [str(made)])
    assert content["b"] == Tagged("new:torch.nn.Linear", {"bias": False})
    assert (content["b"].name, content["c"]) == ("Linear", Tagged("name:os.system", None))
    assert not made.exists()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("<rate>", 25),
        ("<rate> * <ratio>", 50),
        ("(<rate> + 3) * -<ratio>", -56),
        ("<rate> / <ratio>", 12.5),
        ("<rate> // <ratio> - 1", 11),
        ("<model[layers][1]>", 7),
        ("<model>", Tagged("new:a.B", {"layers": [5, 7]})),
        ("<folder>/speech", "data/speech"),
        ("<later>", 4),
    ],
)
def test_references_are_followed_and_numbers_computed(reading, expression, value):
    named = "rate: 25\nratio: 2\nfolder: data\nmodel: !new:a.B\n    layers: [5, 7]"
    content = reading(f"{named}\nx: !ref {expression}\nlater: !ref <ratio> * 2\n")
    assert content["x"] == value
    assert type(content["x"]) is type(value)


def test_numbers_are_those_of_yaml_1_2(reading):
    content = reading("a: 1e-06\nb: -2E3\nc: '1e-06'\nd: null\ne: True\nf: 0.7\n")
    assert list(content.values()) == [1e-6, -2000.0, "1e-06", None, True, 0.7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "line 2, gives a a second time"),
        ("a:\n    b: 1\n    b: 1\n", "line 3, gives b a second time"),
        ("a: !ref <b>\n", "refers to b, which is not there"),
        ("a: [1]\nb: !ref <a[4]>\n", r"refers to a\[4\], which is not there"),
        ("a: !ref <b>\nb: !ref <a>\n", "refers to itself"),
        ("a: &x [*x]\n", "refers to itself"),
        ("a: !ref b\n", "is no reference"),
        ("a: 3\nb: !ref <a> ** 9\n", "cannot be computed"),
        ("a: 3\nb: !ref <a>.__class__\n", "cannot be computed"),
        ("a: 3\nb: !ref __import__('os').getcwd() * <a>\n", "cannot be computed"),
        ("a: 0\nb: !ref 1 / <a>\n", "cannot be computed"),
        ("a: 9007199254740992\nb: !ref <a> * <a>\n", "cannot be computed"),
        ("a: True\nb: !ref <a> * 2\n", "no number"),
        ("a: [1]\nb: !ref <a> * 2\n", "no number"),
        ("a: !!python/object/apply:os.getcwd []\n", "Python object os.getcwd, which could run code"),
        ("? [1]\n: 2\n", "is no name"),
        ("- 1\n", "no named settings"),
        ("a: [1\n", "not valid YAML"),
        ("", "no named settings"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    ],
)
def test_what_is_no_config_is_refused_in_one_line(reading, text, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        reading(text)
    assert "\n" not in str(caught.value)


def test_many_references_to_many_references_take_no_time_and_no_room(reading):
    lines = ["a0: [1, 2, 3, 4]", *(f"a{n}: [{', '.join([f'!ref <a{n - 1}>'] * 9)}]" for n in range(1, 40))]
    content = reading("\n".join(lines))
    assert content["a39"][0] is content["a38"]
